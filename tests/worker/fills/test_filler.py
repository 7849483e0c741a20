"""The thread that fetches the pieces of gaps: what it asks X for, and what it answers to the master."""

from __future__ import annotations

import gzip
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from support.births import worker_settings
from support.making_posts import post_fields, post_line
from support.rawserver import RawServer
from support.waiting import DEADLINE_S

from traptor.common.fills import FillEnd
from traptor.common.messages import Connect, FromWorker, PieceFetched, RecoverPiece, SearchPiece
from traptor.worker.fills.filler import Filler
from traptor.worker.posts.past import Taken

TOKEN = "AAAA-very-secret"


@dataclass
class Pipeline:
    """Takes every post but those it has seen; or fails."""

    seen: set[str] = field(default_factory=set)
    taken: list[bytes] = field(default_factory=list)
    fails: bool = False
    on_recovered: Callable[[], object] = lambda: None

    def paid(
        self,
        _fill: int,
        posts: Sequence[str | None],
        included_posts: Sequence[str | None],
        included_users: int,
    ) -> dict[str, int]:
        return {"posts": len(posts), "included_posts": len(included_posts), "included_users": included_users}

    def take_found(self, _piece: SearchPiece, line: bytes) -> bool:
        if self.fails:
            raise RuntimeError("a bug")
        key = json.loads(line)["data"]["id"]
        is_new = key not in self.seen
        self.seen.add(key)
        self.taken += [line] * is_new
        return is_new

    def take_recovered(self, _fill: int, line: bytes) -> Taken:
        self.taken.append(line)
        self.on_recovered()
        return Taken(json.loads(line)["data"]["id"], is_new=True)


@dataclass
class Asked:
    """A filler with a server, and what it said."""

    server: RawServer
    pipeline: Pipeline = field(default_factory=Pipeline)
    has_room: Callable[[], bool] = lambda: True
    keeps: bool = True
    said: queue.Queue[FromWorker] = field(default_factory=queue.Queue)
    secrets: list[str] = field(default_factory=list)
    on_secrets: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        settings = replace(
            worker_settings(Path()),
            api="v2", stream_url=self.server.url, connect_timeout_s=5.0,
            stream_query=(("tweet.fields", "id,text"),),
        )  # fmt: skip
        self.filler = Filler(
            settings,
            self.pipeline,
            lambda: self.has_room(),
            lambda: self.keeps,
            self.know,
            self.said.put,
        )

    def know(self, secrets: list[str]) -> None:
        """The first that is done for a piece."""
        self.secrets.extend(secrets)
        self.on_secrets()

    def answer(self, number: int = 1, token: str = "") -> PieceFetched:
        connect = Connect(key_id="k", key_name="k", bearer_token=TOKEN)
        self.filler.order(
            SearchPiece(
                number=number, fill=7, connect=connect, query='storm OR "嵐 a"', token=token, max_results=50,
                start_time="2026-11-29T03:00:00Z", end_time="2026-11-29T03:01:00Z",
            )
        )  # fmt: skip
        found = self.said.get(timeout=DEADLINE_S)
        assert isinstance(found, PieceFetched)
        assert found.number == number
        return found


@pytest.fixture
def asked() -> Iterator[Asked]:
    server = RawServer()
    yield Asked(server)
    server.close()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = "".join(f"{one}\r\n" for one in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))
    return f"{head}\r\n".encode() + body


def page(*ids: str, token: str = "") -> bytes:
    meta = {"result_count": len(ids)} | ({"next_token": token} if token else {})
    return json.dumps({"data": [post_fields("x", id=one) for one in ids], "meta": meta}).encode()


def test_it_asks_for_one_page_and_answers_when_its_posts_are_kept(asked: Asked) -> None:
    requests: list[bytes] = []

    def serve(request: bytes) -> list[bytes]:
        requests.append(request)
        return [http(page("5", "6", token="two"), "200 OK", "x-rate-limit-remaining: 299")]

    asked.server.answer = serve
    found = asked.answer(token="one")
    assert (found.end, found.token, found.posts, found.new, found.status) == (FillEnd.DONE, "two", 2, 2, 200)
    assert found.reads == {"posts": 2, "included_posts": 0, "included_users": 0}
    assert found.headers == {"x-rate-limit-remaining": "299"}
    head, target = requests[0].decode(), urlsplit(requests[0].decode().split()[1])
    assert target.path == "/2/tweets/search/all"
    assert parse_qs(target.query) == {
        "tweet.fields": ["id,text"], "query": ['storm OR "嵐 a"'], "max_results": ["50"],
        "next_token": ["one"],
        "start_time": ["2026-11-29T03:00:00Z"], "end_time": ["2026-11-29T03:01:00Z"],
    }  # fmt: skip
    assert f"Authorization: Bearer {TOKEN}" in head
    assert asked.secrets == [TOKEN]


def test_what_was_delivered_before_is_counted_and_not_new(asked: Asked) -> None:
    asked.pipeline.seen.add("5")
    asked.server.answer = lambda _request: [http(page("5", "6"))]
    found = asked.answer()
    assert (found.posts, found.new, found.token) == (2, 1, "")


@pytest.mark.parametrize(
    ("answer", "end", "status", "problem"),
    [
        (
            http(b'{"title":"Too Many Requests","status":429}', "429 X"),
            FillEnd.HTTP,
            429,
            "rate-limit-exceeded",
        ),
        (http(b"<html>Over capacity</html>", "503 X"), FillEnd.HTTP, 503, ""),
        (http(b"", "302 Found", "Location: http://127.0.0.1:1/"), FillEnd.HTTP, 302, ""),
        (http(b"nonsense"), FillEnd.BROKEN, None, ""),
        (b"", FillEnd.NETWORK, None, ""),
        (http(page("5"))[:-9], FillEnd.NETWORK, None, ""),
    ],
)
def test_whatever_x_answers_the_master_hears_of_it(
    asked: Asked, answer: bytes, end: FillEnd, status: int | None, problem: str
) -> None:
    asked.server.answer = lambda _request: [answer]
    found = asked.answer()
    assert (found.end, found.status, found.problem, found.new) == (end, status, problem, 0)
    asked.server.answer = lambda _request: [http(page("5"))]
    assert asked.answer(2).end is FillEnd.DONE  # and the thread goes on


def dripping(head: bytes, drop: bytes) -> Iterator[bytes]:
    """Never silent for as long as a read may wait, and never whole."""
    yield head
    while True:
        yield drop
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nx-long: ", b"x"),
    ],
    ids=["body by its length", "within a chunk", "by chunks", "headers"],
)
def test_an_answer_that_drips_ends_within_a_time_of_its_own(
    asked: Asked, head: bytes, drop: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its thread stays, and with each further try one more."""
    monkeypatch.setattr("traptor.worker.fills.search._WITHIN_S", 0.2)
    asked.filler._settings = replace(asked.filler._settings, connect_timeout_s=1.0)
    asked.server.answer = lambda _request: dripping(head, drop)
    found = asked.answer()
    assert found.end is FillEnd.NETWORK
    assert "within" in found.detail


def test_a_refusal_is_known_although_its_text_drips(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traptor.worker.stream.reply._TEXT_S", 3.0)  # for a server that starts late
    head = b"HTTP/1.1 503 x\r\nContent-Length: 1000000000\r\n\r\n"
    asked.server.answer = lambda _request: dripping(head, b"x")
    found = asked.answer()
    assert (found.end, found.status) == (FillEnd.HTTP, 503)
    assert found.detail.startswith("xx")


def test_an_answer_that_unfolds_beyond_all_measure_is_none(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.worker.fills.search._MOST_BYTES", 1 << 20)
    packed = gzip.compress(bytes(10 << 20))
    asked.server.answer = lambda _request: [http(packed, "200 OK", "Content-Encoding: gzip")]
    found = asked.answer()
    assert (found.end, "larger" in found.detail) == (FillEnd.NETWORK, True)
    asked.server.answer = lambda _request: [
        http(gzip.compress(page("5")), "200 OK", "Content-Encoding: gzip")
    ]
    assert asked.answer(2).end is FillEnd.DONE


def test_no_answer_repeats_the_token(asked: Asked) -> None:
    asked.server.answer = lambda request: [http(request, "500 X")]
    assert TOKEN not in repr(asked.answer())


def test_an_error_of_ours_ends_the_piece_and_nothing_else(asked: Asked) -> None:
    asked.server.answer = lambda _request: [http(page("5"))]
    asked.pipeline.fails = True
    assert asked.answer().end is FillEnd.FAULT
    asked.pipeline.fails = False
    assert asked.answer(2).new == 1


def test_without_room_in_the_outbox_the_piece_is_not_done(asked: Asked) -> None:
    asked.server.answer = lambda _request: [http(page("5", "6", token="two"))]
    asked.keeps = False
    assert asked.answer().end is FillEnd.NO_ROOM
    asked.keeps, asked.has_room = True, lambda: False
    asked.pipeline.seen.clear()
    found = asked.answer(2)
    assert (found.end, found.new) == (FillEnd.NO_ROOM, 0)


def test_a_worker_that_ends_delivers_and_answers_nothing_more(asked: Asked) -> None:
    asked.server.answer = lambda _request: [http(page("5"))]
    asked.answer()
    asked.filler.stop()
    asked.filler.order(
        SearchPiece(
            number=2, fill=7, connect=Connect(key_id="k", key_name="k"), query="x", max_results=10,
            start_time="2026-11-29T03:00:00Z", end_time="2026-11-29T03:01:00Z",
        )
    )  # fmt: skip
    with pytest.raises(queue.Empty):
        asked.said.get(timeout=0.2)


def endless(post: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"%x\r\n%s\r\n" % (len(post), post)
        time.sleep(0.001)


@pytest.mark.parametrize("begins", [True, False], ids=["while it runs", "before it begins"])
def test_a_recovery_that_is_ended_is_answered_with_how_far_it_came(asked: Asked, begins: bool) -> None:
    """A cap that is reached closes the live stream: the job must not spend on."""
    post = post_line(post_fields("storm", id="2069000000000000000"), "11") + b"\r\n"
    asked.server.answer = lambda _request: endless(post)
    if begins:
        asked.pipeline.on_recovered = asked.filler.end_recovery
    else:
        asked.on_secrets = asked.filler.end_recovery
    connect = Connect(key_id="k", key_name="k", bearer_token=TOKEN)
    asked.filler.order(
        RecoverPiece(
            number=3, fill=7, connect=connect, most_posts=20_000,
            start_time="2026-11-29T03:00:00Z", end_time="2026-11-29T03:01:00Z",
        )
    )  # fmt: skip
    found = asked.said.get(timeout=DEADLINE_S)
    assert isinstance(found, PieceFetched)
    assert (found.number, found.end, found.posts > 0) == (3, FillEnd.NETWORK, begins)
    asked.server.answer = lambda _request: [http(page("5"))]
    assert asked.answer(4).end is FillEnd.DONE  # and the thread goes on


def test_two_recoveries_are_fetched_at_once_and_both_end_together(asked: Asked) -> None:
    post = post_line(post_fields("storm", id="2069000000000000000"), "11") + b"\r\n"
    asked.server.answer = lambda _request: endless(post)
    connect = Connect(key_id="k", key_name="k", bearer_token=TOKEN)
    begun = threading.Barrier(3)
    together = threading.local()

    def recovered() -> None:
        if not getattr(together, "is_known", False):
            together.is_known = True
            begun.wait(DEADLINE_S)

    asked.pipeline.on_recovered = recovered
    for number in (3, 4):
        asked.filler.order(
            RecoverPiece(
                number=number, fill=7, connect=connect, most_posts=20_000,
                start_time="2026-11-29T03:00:00Z", end_time="2026-11-29T03:01:00Z",
            )
        )  # fmt: skip
    begun.wait(DEADLINE_S)  # neither has ended before the other began
    asked.filler.end_recovery()
    answers = [asked.said.get(timeout=DEADLINE_S) for _ in range(2)]
    assert sorted(answer.number for answer in answers if isinstance(answer, PieceFetched)) == [3, 4]
