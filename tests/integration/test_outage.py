"""A server that cannot be reached for a while costs no budget."""

from __future__ import annotations

from collections.abc import Callable

from support.collection import Collection, Key
from support.waiting import wait_for
from trial.ports import free_port

from traptor.sandbox.process import SandboxProcess


def test_a_short_outage_is_over_when_the_server_is_back(make_collection: Callable[..., Collection]) -> None:
    """More tries than the budget has find nobody; the first that finds the server streams."""
    collection = make_collection(Key("k1"))
    port = free_port()
    collection.options = {
        "twitter": {"stream_url": f"http://127.0.0.1:{port}", "connects": 2, "network_backoff": "50ms"}
    }
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: collection.log("track:0").count("connect failed") > 4, "five tries that found nobody")
    with SandboxProcess("--port", str(port), "--no-auth"):
        collection.wait_streaming("track:0")
        assert collection.key("k1")["budget_left"] == 1
        collection.stop()
