"""No log, file, page or process shows a token, whatever every library says at DEBUG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support.collection import Collection, Key
from support.control import get
from support.paths import ROOT
from support.v2 import SANDBOX, bearer, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]
LOUD = str(ROOT / "tests" / "support" / "loud.py")


@pytest.mark.long
def test_no_token_is_shown_anywhere(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.program = (LOUD,)
    collection.options["logging"] = {"level": "DEBUG"}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:app")
    x, token = collection.sandbox.v2, bearer(collection)
    x.fault("status", app="app", endpoint="stream", status=503, times=1)
    x.fault("close", app="app")
    collection.wait_log("gap connection=v2:app cause=network")
    collection.wait_streaming("v2:app")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    wait_filters(collection, "storm", "flood")
    for line in (
        {"errors": [{"title": token, "detail": f"Bearer {token}", "type": f"x/{token}"}]},
        f"Bearer {token}",
    ):
        assert x.line(line)
    wait_for(lambda: "no JSON object" in collection.log("v2:app"), "what X repeats is logged")
    texts = dict(shown_by_processes(collection))
    for target in ("/", "/api/status", "/api/keys", "/metrics", "/api/explain?rule=storm"):
        status, texts[target] = get(collection.run_dir / "control.sock", target)
        assert status == 200, target
    for command in (["status"], ["keys"], ["plan"]):
        texts[f"traptorctl {command}"] = collection.ctl(*command).stdout.encode()
    texts |= dict(shown_by_files(collection.folder))  # status.json is removed at the end
    assert any(name.endswith("status.json") for name in texts)
    assert collection.stop() == 0
    texts |= dict(shown_by_files(collection.folder))
    logs = b"".join(text for name, text in texts.items() if name.endswith(".log"))
    for said in (b"Starting new HTTP connection", b'"GET /2/tweets/search/stream', b"Using selector"):
        assert said in logs, "urllib3 and asyncio are heard"
    assert "tweepy is heard" in collection.log("v2:app"), "its lines at DEBUG reach the worker's log"
    for name, text in texts.items():
        assert token.encode() not in text, name
        assert b"SECRET-cs-app" not in text, name


def shown_by_processes(collection: Collection) -> Iterator[tuple[str, bytes]]:
    """What anybody on the host can read of the supervisor and its workers, and their environments."""
    assert collection.process is not None
    for one in (psutil.Process(collection.process.pid), *collection.children()):
        for name in ("cmdline", "comm", "environ"):
            yield f"{one.pid} {name}", Path(f"/proc/{one.pid}/{name}").read_bytes()


def shown_by_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that was written to log_dir, run_dir, state_dir, output and stderr; the ini holds secrets."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".ini", ".new"):
            yield str(path), path.read_bytes()
