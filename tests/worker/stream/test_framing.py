"""Where a body ends, and what in it is framing: whatever pieces it comes in."""

from __future__ import annotations

import http.client
import io
from types import SimpleNamespace

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.stream.framing import Chunked, Framing, Sized, UntilClose, framing_of

CONTENTS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
ENDS = st.sampled_from([b"0\r\n\r\n", b"000\r\n\r\n", b"0;last\r\nTrailer: x\r\n folded\r\n\r\n"])
EXTENSIONS = st.sampled_from([b"", b";a", b";a=b;c", b' ; a="x; y"', b"\t;a"])
WRONG = [b"x\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"5 5\r\n", b"1\r\nab\r\n", b"f" * 16 + b"\r\n"]


def framed(contents: list[bytes], extension: bytes, end: bytes) -> bytes:
    chunks = [b"%x%b\r\n%b\r\n" % (len(one), extension, one) for one in contents]
    return b"".join([*chunks, end])


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def taken(framing: Framing, parts: list[bytes]) -> bytes:
    return b"".join(framing.take(part) for part in parts)


@given(contents=CONTENTS, extension=EXTENSIONS, end=ENDS, size=st.integers(1, 50))
def test_chunks_give_their_content_in_whatever_pieces_they_come(
    contents: list[bytes], extension: bytes, end: bytes, size: int
) -> None:
    framing = Chunked()
    assert taken(framing, pieces(framed(contents, extension, end), size)) == b"".join(contents)
    assert framing.is_ended
    assert framing.may_end


@given(contents=CONTENTS, extension=EXTENSIONS, end=ENDS, size=st.integers(1, 50))
def test_the_standard_library_reads_the_same(
    contents: list[bytes], extension: bytes, end: bytes, size: int
) -> None:
    body = framed(contents, extension, end)
    answer = io.BytesIO(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    judge = http.client.HTTPResponse(SimpleNamespace(makefile=lambda _mode: answer))  # type: ignore[arg-type]  # all of a socket that it uses
    judge.begin()
    assert taken(Chunked(), pieces(body, size)) == judge.read()


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_chunk_is_an_error(line: bytes, size: int) -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError, match="not HTTP"):
        taken(Chunked(), pieces(framed([b"before"], b"", b"") + line, size))


@pytest.mark.parametrize("size", [1, 1_000, 65_536, 1 << 20])
def test_a_line_between_chunks_has_a_limit(size: int) -> None:
    with pytest.raises(urllib3.exceptions.ProtocolError, match="endless line"):
        taken(Chunked(), pieces(b"5;" + b"x" * (1 << 20), size))


def test_the_content_of_a_part_of_a_chunk_is_given_at_once() -> None:
    framing = Chunked()
    assert framing.take(b"ff\r\nab") == b"ab"
    assert not framing.may_end


def test_no_byte_behind_a_body_belongs_to_it() -> None:
    assert framing_of(3, is_chunked=False).take(b"abcd") == b"abc"
    assert framing_of(3, is_chunked=True).take(b"1\r\na\r\n0\r\n\r\nmore") == b"a"
    assert isinstance(framing_of(None, is_chunked=False), UntilClose)


def test_a_body_with_a_length_may_not_end_before_it() -> None:
    framing = Sized(3)
    framing.take(b"ab")
    assert not framing.may_end
    framing.take(b"c")
    assert framing.is_ended
