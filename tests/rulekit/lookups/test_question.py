"""What is made of X's answers to questions."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from support.keypools import make_key
from support.rawserver import RawServer
from support.waiting import DEADLINE_S

from traptor.common.config.settings import load_settings
from traptor.rulekit.lookups import question
from traptor.rulekit.lookups.accounts import by_names
from traptor.rulekit.lookups.asker import Asker
from traptor.rulekit.lookups.question import XRefused


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data":%b}' % (b"[" * 10**5)])
def test_an_answer_that_cannot_be_read_does_not_mean_that_there_is_no_account(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        closing(RawServer(lambda _request: [head + body])) as server,
        pytest.raises(XRefused, match="X answered 200: its answer cannot be read; nothing was changed"),
    ):
        by_names(asker_of(server), ["bo"], lambda _done, _all: None)


@pytest.mark.parametrize("start", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n["])
def test_an_answer_that_drips_ends_in_time(start: bytes) -> None:
    """Each byte comes long before a single read would time out."""

    def drip(_request: bytes) -> Iterator[bytes]:
        yield start
        while True:
            yield b"1"
            time.sleep(0.05)

    with (
        closing(RawServer(drip)) as server,
        pytest.raises(XRefused, match=r"cannot be asked: no answer within 0\.3 s; check \[twitter\] api_url"),
    ):
        by_names(asker_of(server, timeout_s=0.3), ["bo"], lambda _done, _all: None)


def test_an_answer_without_an_end_is_not_read_to_its_end() -> None:
    def pour(_request: bytes) -> Iterable[bytes]:
        return (part for part in [b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * (1 << 20)] * 64])

    with (
        closing(RawServer(pour)) as server,
        pytest.raises(XRefused, match="X answered 200: its answer cannot be read"),
    ):
        by_names(asker_of(server), ["bo"], lambda _done, _all: None)


# ---- the way to X

INI = """
[traptor]
api = v2
output = jsonl:-
[supervisor]
run_dir = run
state_dir = state
log_dir = -
[twitter]
api_url = {x}
proxy = {twitter}
[key:one]
bearer_token = a-long-secret-token
proxy = {key}
"""


@pytest.mark.parametrize("is_own", [False, True])
@pytest.mark.parametrize(
    ("twitter", "no_proxy", "asked"),
    [
        ("none", "", "x"),
        ("environment", "", "environment"),
        ("environment", "elsewhere.test,127.0.0.0/8", "x"),
    ],
)
def test_a_proxy_of_the_environment_is_used_only_when_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twitter: str, no_proxy: str, asked: str, is_own: bool
) -> None:
    with ExitStack() as stack:
        places = {name: stack.enter_context(closing(RawServer())) for name in ("x", "own", "environment")}
        for name, server in places.items():
            server.answer = partial(refuse, name)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, places["environment"].url.removeprefix("http://"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, no_proxy)
        ini = tmp_path / "traptor.ini"
        own = places["own"].url if is_own else ""
        ini.write_text(INI.format(x=places["x"].url, twitter=twitter, key=own))
        expected = "own" if is_own else asked
        with pytest.raises(XRefused, match=f"X answered 403: asked at {expected};"):
            by_names(question.asker_of(load_settings(ini, {})), ["bo"], lambda _done, _all: None)


def refuse(name: str, _request: bytes) -> Iterable[bytes]:
    body = b'{"title":"asked at %b"}' % name.encode()
    return [b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)]


def asker_of(server: RawServer, timeout_s: float = DEADLINE_S) -> Asker:
    return Asker(make_key("a", bearer_token="t0ken"), server.url, timeout_s=timeout_s)
