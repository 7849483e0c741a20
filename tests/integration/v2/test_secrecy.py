"""No log holds a token, whatever every library says at DEBUG."""

from __future__ import annotations

from collections.abc import Callable

import requests
from support.collection import Collection, Key
from support.v2 import SANDBOX, on_v2, wait_filters
from support.waiting import DEADLINE_S

Make = Callable[..., Collection]


def test_no_token_is_in_any_file(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.options["logging"] = {"level": "DEBUG"}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:app")
    collection.sandbox.v2.fault("status", app="app", endpoint="stream", status=503, times=1)
    collection.sandbox.v2.fault("close", app="app")
    collection.wait_log("gap connection=v2:app cause=network")
    collection.wait_streaming("v2:app")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    wait_filters(collection, "storm", "flood")
    assert collection.stop() == 0
    token = requests.post(
        f"{collection.sandbox.url}/oauth2/token",
        auth=("ck-app", "SECRET-cs-app"),
        data={"grant_type": "client_credentials"},
        timeout=DEADLINE_S,
    ).json()["access_token"]
    texts = {p: p.read_bytes() for p in collection.folder.rglob("*") if p.is_file() and p != collection.ini}
    assert any(b"DEBUG" in text for path, text in texts.items() if path.suffix == ".log")
    for path, text in texts.items():
        assert token.encode() not in text, path
        assert b"SECRET-cs-app" not in text, path
