"""The stream of API v2: its request, its refusals, and nothing of the token in any log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from support.answers import SETTINGS, chunked
from support.rawserver import RawServer
from support.waiting import wait_for
from support.xsandbox import APP_CONNECT, TOKEN, XSandbox, x_sandbox

from traptor.common.birth import WorkerSettings
from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.stream.v2 import V2Stream

QUERY = (("tweet.fields", "author_id,entities"), ("expansions", "author_id"))


@pytest.fixture
def x() -> Iterator[XSandbox]:
    with x_sandbox() as sandbox:
        yield sandbox


class Reading:
    """A stream that a thread reads."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.lines: list[bytes] = []
        self.refused: list[Disconnected] = []
        self.opened = threading.Event()
        self.ended: Disconnected | None = None
        self.stream = V2Stream(
            APP_CONNECT,
            settings,
            on_open=self.opened.set,
            on_lines=self.lines.extend,
            on_refused=self.refused.append,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.ended = self.stream.run(())

    def end(self) -> Disconnected:
        self._thread.join(60)
        assert self.ended is not None
        return self.ended


def settings_for(url: str, **more: object) -> WorkerSettings:
    return replace(SETTINGS, api="v2", stream_url=url, stream_query=QUERY, connect_timeout_s=20.0, **more)  # type: ignore[arg-type]


def ended_by(answer: bytes) -> tuple[Disconnected, bytes]:
    requests: list[bytes] = []

    def answering(request: bytes) -> Iterator[bytes]:
        requests.append(request)
        yield answer

    server = RawServer(answering)
    try:
        ended = Reading(settings_for(server.url)).end()
    finally:
        server.close()
    return ended, requests[0]


def test_the_request_has_the_token_and_the_fields_and_no_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Rate-Limit-Remaining: 49\r\n\r\n"
    ended, request = ended_by(answer + chunked(b'{"data":{}}\r\n', 5))
    head, _, body = request.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == (
        "GET /2/tweets/search/stream?tweet.fields=author_id%2Centities&expansions=author_id HTTP/1.1"
    )
    assert f"Authorization: Bearer {TOKEN}" in headers
    assert body == b""
    assert (ended.kind, ended.streamed) == (DisconnectKind.SERVER_CLOSE, True)
    assert ended.headers == {"x-rate-limit-remaining": "49"}


@pytest.mark.parametrize(
    ("fault", "status", "problem"),
    [
        ("no-rules", 409, "RuleConfigurationIssue"),
        ("too-many-connections", 429, "TooManyConnections"),
        ("rate-limit", 429, "rate-limit-exceeded"),
        ("rate-limit-88", 429, "rate-limit-exceeded"),
        ("usage-capped", 429, "usage-capped"),
        ("credits", 402, "credits"),
        ("credits-depleted", 402, "credits-depleted"),
        ("provisioning", 403, "ProvisioningSubscription"),
        ("client-forbidden", 403, "client-forbidden"),
        ("unauthorized", 401, "Unauthorized"),
    ],
)
def test_a_refusal_is_told_once_with_the_problem_that_it_names(
    x: XSandbox, fault: str, status: int, problem: str
) -> None:
    x.v2.fault("status", problem=fault, times=1)
    reading = Reading(settings_for(x.url))
    ended = reading.end()
    assert (ended.kind, ended.status, ended.problem) == (DisconnectKind.HTTP, status, problem)
    assert not ended.streamed
    assert ended.detail
    assert "x-rate-limit-limit" in ended.headers
    assert reading.refused == [ended]


@pytest.mark.parametrize("text", [b"", b"<html>\x1b[2J busy</html>", b"[1]", b'{"errors":{"a":1}}', b"\xff"])
def test_a_refusal_without_a_problem_document_names_none(text: bytes) -> None:
    ended, _ = ended_by(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
    assert (ended.status, ended.problem) == (503, "")
    assert ended.detail.isprintable()


def test_the_old_connection_is_closed_before_the_next_is_opened(x: XSandbox) -> None:
    x.add("storm")
    # Where the server closes, a busy machine must not make it a stall.
    settings = [settings_for(x.url, stall_timeout_s=stall_s) for stall_s in (0.2, 60.0)]
    for number in range(40):
        reading = Reading(settings[number % 2])
        assert reading.opened.wait(60)
        fault = "close" if number % 2 else "stall"
        # On a busy machine 0.2 s may pass before any fault is there to strike: that is a stall, too.
        wait_for(lambda kind=fault, one=reading: one.ended or x.v2.fault(kind)["struck"], f"a {fault}")
        kind = DisconnectKind.SERVER_CLOSE if number % 2 else DisconnectKind.STALL
        assert reading.end().kind is kind
    connections = x.v2.connections()
    assert len(connections) == 40
    assert all(one["freed_at"] <= other["opened_at"] for one, other in pairwise(connections))
    assert {request["status"] for request in x.v2.requests("stream")} == {200}


def test_the_token_is_in_no_log_and_in_nothing_that_is_shown(
    x: XSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in ("urllib3", "requests", "tweepy", "oauthlib"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        x.add("storm")
        reading = Reading(settings_for(x.url))
        assert reading.opened.wait(60)
        shown = [repr(reading.stream.order), repr(reading.stream.request(())), repr(reading.stream)]
        reading.stream.stop()
        ended = [reading.end()]
        for fault in ("unauthorized", "too-many-connections"):
            x.v2.fault("status", problem=fault, times=1)
            ended.append(Reading(settings_for(x.url)).end())
    assert "urllib3.connectionpool" in {record.name for record in caplog.records}
    assert TOKEN not in caplog.text + "".join(map(str, [*shown, *ended]))
