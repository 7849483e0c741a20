"""The way of a search to X."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.births import worker_settings
from support.rawserver import RawServer

from traptor.common.messages import Connect, SearchPiece
from traptor.worker.fills.search import search


@pytest.fixture
def places() -> Iterator[dict[str, RawServer]]:
    """X and two proxies; each answers with its name."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(closing(RawServer())) for name in ("x", "own", "environment")}
        for name, server in found.items():
            server.answer = partial(say, name.encode())
        yield found


def say(name: bytes, _request: bytes) -> Iterable[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)]


@pytest.mark.parametrize("is_own", [False, True])
@pytest.mark.parametrize(
    ("of_environment", "no_proxy", "asked"),
    [(False, "", "x"), (True, "", "environment"), (True, "elsewhere.test,127.0.0.0/8", "x")],
)
def test_a_proxy_of_the_environment_is_used_only_when_the_operator_says_so(
    places: dict[str, RawServer],
    monkeypatch: pytest.MonkeyPatch,
    of_environment: bool,
    no_proxy: str,
    asked: str,
    is_own: bool,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, places["environment"].url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, no_proxy)
    settings = replace(
        worker_settings(Path()), api="v2", stream_url=places["x"].url, proxy_of_environment=of_environment
    )
    own = places["own"].url if is_own else None
    piece = SearchPiece(
        number=1,
        fill=7,
        connect=Connect(key_id="k", key_name="k", bearer_token="t0ken", proxy=own),
        query="storm",
        start_time="2026-11-29T03:00:00Z",
        end_time="2026-11-29T03:01:00Z",
        max_results=50,
    )
    assert search(piece, settings)[0] == (b"own" if is_own else asked.encode())
