"""Whatever a server answers, in whatever pieces: the stream ends as an outcome, and shows no credentials."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import CONNECT, SETTINGS, chunked
from support.fuzzing import TWEETS, examples, line_of, mangled
from support.planted import SECRET
from support.rawserver import RawServer

from traptor.common.messages import HEADER, DisconnectKind, frame, from_worker
from traptor.supervisor.keys.conduct.failures import Failure
from traptor.worker.stream.lines import MOST_LINE_BYTES, Lines
from traptor.worker.stream.v1 import V1Stream

STATUS_LINES = st.one_of(
    st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.1 420 x", b"HTTP/1.1 429", b"HTTP/1.0 200 OK", b"HTTP/1.1 401 no"]
    ),
    st.sampled_from(
        [b"HTTP/1.1 302 x", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204 x", b"HTTP/9.9 200", b"200 OK", b""]
    ),
    st.binary(max_size=12),
)
HEADER_LINES = st.one_of(
    st.sampled_from(
        [
            b"Transfer-Encoding: chunked",
            b"Content-Encoding: gzip",
            b"Content-Encoding: br",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 9" + b"9" * 5_000,
            b"Retry-After: Wed, 99999999999999999999 Nov 2026 22:00:00 GMT",
            b"x-rate-limit-reset: 1e999",
            b"Location: //[",
            b"Set-Cookie: " + b"a=b; " * 500,
            b"X: " + b"y" * 70_000,
            b"\r\n".join([b"A: b"] * 150),
        ]
    ),
    st.binary(max_size=20),
)
SHORT_LINES = b"".join(b'{"id_str":"%d","text":"\xc3\xa4"}\r\n\r\n' % number for number in range(9))
TWEET_LINES = b"\r\n".join(line_of(tweet, False, ",") for tweet in TWEETS[:4]) + b"\r\n"
BODIES = st.one_of(
    st.just(TWEET_LINES),
    mangled(TWEET_LINES),
    st.just(gzip.compress(TWEET_LINES)),
    mangled(gzip.compress(TWEET_LINES)),
    st.sampled_from(
        [b"\r\n" * 1_000, b"\r" * 1_000, b"5\r\n", b"-1\r\n\r\n", b"-5\r\n", b"f" * 70_000, b"0\r\n\r\n"]
    ),
    st.binary(max_size=50),
)


ANSWERS = st.builds(
    lambda status, headers, body: b"\r\n".join([status, *headers, b"", body]),
    STATUS_LINES,
    st.lists(HEADER_LINES, max_size=3),
    st.one_of(BODIES, st.builds(chunked, BODIES, st.integers(1, 5_000))),
)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def stream(server: RawServer, answer: Sequence[bytes]) -> tuple[list[bytes], DisconnectKind]:
    """What comes of an answer; the checks that hold for every one of them are made."""
    server.answer = lambda request: [request if piece == b"echo" else piece for piece in answer]
    lines: list[bytes] = []
    settings = replace(SETTINGS, stream_url=server.url)
    ended = V1Stream(CONNECT, settings, on_open=lambda: None, on_lines=lines.extend).run(())
    assert from_worker(frame(ended)[HEADER.size :]) == ended
    assert SECRET not in repr(ended)
    if ended.kind is DisconnectKind.HTTP:
        assert ended.status is not None
        Failure.of_answer(ended.status, ended.headers, 1_790_000_000.0)
    assert not any(b"\n" in line or b"\r" in line or not line for line in lines)
    return lines, ended.kind


@examples(80)
@given(answer=ANSWERS, sizes=st.lists(st.integers(1, 20_000), max_size=6))
def test_any_answer_in_any_pieces_ends_as_an_outcome(
    server: RawServer, answer: bytes, sizes: list[int]
) -> None:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(answer[start : start + size])
        start += size
    stream(server, [*pieces, answer[start:]])


@examples(30)
@given(size=st.integers(1, 300), sizes=st.lists(st.integers(1, 300), max_size=4), is_gzip=st.booleans())
def test_the_pieces_in_which_they_come_change_no_tweet(
    server: RawServer, size: int, sizes: list[int], is_gzip: bool
) -> None:
    body = chunked(gzip.compress(SHORT_LINES) if is_gzip else SHORT_LINES, size)
    coding = b"Content-Encoding: gzip\r\n" if is_gzip else b""
    answer = b"HTTP/1.1 200 OK\r\n" + coding + b"Transfer-Encoding: chunked\r\n\r\n" + body
    pieces, start = [], 0
    for piece in sizes:
        pieces.append(answer[start : start + piece])
        start += piece
    lines, kind = stream(server, [*pieces, answer[start:]])
    assert lines == SHORT_LINES.split()
    assert kind is DisconnectKind.SERVER_CLOSE


def messages_of(pieces: list[bytes]) -> list[bytes]:
    lines = Lines()
    return [message for piece in pieces for message in lines.take(piece) if message]


@examples(300)
@given(pieces=st.lists(st.text('{}"a:1,\r\n', max_size=6).map(str.encode)))
def test_messages_are_the_same_in_whatever_pieces(pieces: list[bytes]) -> None:
    """But for a blank one, the same as a keep-alive, where CR and LF come apart."""
    assert messages_of(pieces) == messages_of([b"".join(pieces)])


def test_a_redirect_to_no_url_is_an_answer_like_others(server: RawServer) -> None:
    assert stream(server, [b"HTTP/1.1 302 x\r\nLocation: //[\r\n\r\n"]) == ([], DisconnectKind.HTTP)


def test_a_chunk_of_a_negative_size_ends_the_stream_and_not_the_worker(server: RawServer) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n12345"
    assert stream(server, [answer]) == ([], DisconnectKind.NETWORK)


def test_a_line_without_end_ends_the_stream_before_the_memory_does(server: RawServer) -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_LINE_BYTES + 100_000)
    assert stream(server, [endless]) == ([], DisconnectKind.NETWORK)


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"420 x", b"503 x"])
def test_an_answer_that_repeats_the_request_shows_no_credentials(server: RawServer, status: bytes) -> None:
    stream(server, [b"HTTP/1.1 " + status + b"\r\n\r\n", b"echo"])
    stream(server, [b"HTTP/1.1 " + status + b"\r\nX: ", b"echo"])
