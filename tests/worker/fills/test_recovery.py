"""One recovery job: what it asks X for, and what it answers to the master."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.births import worker_settings
from support.making_posts import post_fields, post_line
from support.rawserver import RawServer

from traptor.common.fills import FillEnd
from traptor.common.messages import Connect, PieceFetched, RecoverPiece
from traptor.worker.fills.recovery import Recovery
from traptor.worker.posts.past import Taken

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
OPENED = 1_790_000_000


def id_at(unix: float) -> str:
    return str(int(unix * 1000) - 1_288_834_974_657 << 22)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def line(unix: float) -> bytes:
    return chunk(post_line(post_fields("storm", id=id_at(unix)), "11") + b"\r\n")


@dataclass
class Pipeline:
    """Takes every post but those it has seen."""

    seen: set[str] = field(default_factory=set)

    def take_recovered(self, _fill: int, raw: bytes) -> Taken:
        document = json.loads(raw)
        if "data" not in document:
            return Taken(ends=True)
        post_id = document["data"]["id"]
        is_new = post_id not in self.seen
        self.seen.add(post_id)
        return Taken(post_id, is_new, {"posts": int(is_new)})


@dataclass
class Job:
    """A job with a server, and what it said."""

    server: RawServer
    pipeline: Pipeline = field(default_factory=Pipeline)
    has_room: Callable[[], bool] = lambda: True
    keeps: bool = True
    most_posts: int = 100

    def run(self) -> PieceFetched:
        settings = replace(
            worker_settings(Path()),
            api="v2",
            stream_url=self.server.url,
            connect_timeout_s=5.0,
            stream_query=(("tweet.fields", "id,text"),),
        )
        piece = RecoverPiece(
            number=7,
            fill=7,
            connect=Connect(key_id="k", key_name="k", bearer_token="AAAA-secret"),
            start_time="2026-11-29T03:00:00Z",
            end_time="2026-11-29T04:00:00Z",
            most_posts=self.most_posts,
        )
        recovery = Recovery(piece, settings, self.pipeline, lambda: self.has_room())
        return recovery.run(lambda: self.keeps)


@pytest.fixture
def job() -> Iterator[Job]:
    server = RawServer()
    yield Job(server)
    server.close()


def test_it_takes_the_posts_of_a_time_and_says_how_far_it_came(job: Job) -> None:
    requests: list[bytes] = []

    def serve(request: bytes) -> list[bytes]:
        requests.append(request)
        return [HEAD, line(OPENED + 5), b"2\r\n\r\n\r\n", line(OPENED + 9), line(OPENED + 7), b"0\r\n\r\n"]

    job.server.answer = serve
    found = job.run()
    assert (found.number, found.end, found.posts, found.new) == (7, FillEnd.DONE, 3, 3)
    assert (float(found.token), found.reads) == (OPENED + 9, {"posts": 3})
    target = urlsplit(requests[0].decode().split()[1])
    assert target.path == "/2/tweets/search/stream"
    assert parse_qs(target.query) == {
        "tweet.fields": ["id,text"],
        "start_time": ["2026-11-29T03:00:00Z"],
        "end_time": ["2026-11-29T04:00:00Z"],
    }
    again = job.run()
    assert (again.end, again.posts, again.new, again.token) == (FillEnd.DONE, 3, 0, found.token)


def test_an_id_of_a_time_after_the_job_does_not_have_the_rest_left_out(job: Job) -> None:
    job.server.answer = lambda _request: [HEAD, line(OPENED + 5), line(1_900_000_000), b"0\r\n\r\n"]
    found = job.run()
    assert (found.posts, float(found.token)) == (2, OPENED + 5)


def test_a_time_without_posts_has_no_token(job: Job) -> None:
    job.server.answer = lambda _request: [HEAD, b"0\r\n\r\n"]
    found = job.run()
    assert (found.end, found.token, found.posts) == (FillEnd.DONE, "", 0)


@pytest.mark.parametrize(
    "ending",
    [[chunk(b'{"errors":[{"title":"operational-disconnect"}]}\r\n'), b"0\r\n\r\n"], [b"5\r\nab"]],
    ids=["announced", "broken off"],
)
def test_a_stream_that_ends_otherwise_is_not_complete(job: Job, ending: list[bytes]) -> None:
    job.server.answer = lambda _request: [HEAD, line(OPENED), *ending]
    found = job.run()
    assert (found.end, float(found.token), found.new) == (FillEnd.NETWORK, OPENED, 1)


def test_a_refusal_says_what_x_said(job: Job) -> None:
    body = b'{"title":"ConnectionException","type":"about:blank","connection_issue":"TooManyConnections"}'
    job.server.answer = lambda _request: [
        b"HTTP/1.1 429 Too Many Requests\r\nx-rate-limit-remaining: 40\r\nContent-Length: %d\r\n\r\n"
        % len(body),
        body,
    ]
    found = job.run()
    assert (found.end, found.status, found.problem) == (FillEnd.HTTP, 429, "TooManyConnections")
    assert found.headers == {"x-rate-limit-remaining": "40"}


def test_it_ends_itself_after_the_most_posts_that_were_allowed(job: Job) -> None:
    job.most_posts = 2
    job.server.answer = lambda _request: [
        HEAD,
        *(line(OPENED + number) for number in range(50)),
        b"0\r\n\r\n",
    ]
    found = job.run()
    assert found.end is FillEnd.NETWORK
    assert 2 <= found.posts < 50
    assert float(found.token) == OPENED + found.posts - 1


def test_posts_for_which_the_outbox_has_no_room_are_asked_for_again(job: Job) -> None:
    job.server.answer = lambda _request: [HEAD, line(OPENED), line(OPENED + 1), b"0\r\n\r\n"]
    job.keeps = False
    assert job.run().end is FillEnd.NO_ROOM
    job.keeps, job.has_room = True, lambda: False
    found = job.run()
    assert (found.end, found.posts) == (FillEnd.NO_ROOM, 0)
