"""The bytes on the wire carry the messages, however they are cut."""

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.wire.encoding import Chunking, Wire, odd_pieces

MESSAGES = ['{"a":"žluťoučký ☕"}\r\n'.encode(), b"\r\n", '{"b":"東京"}\r\n'.encode()]


@given(st.text().map(lambda text: f"{text}\r\n".encode("utf-8", "replace")), st.integers())
def test_odd_pieces_are_together_the_whole(data, seed):
    pieces = odd_pieces(data, Random(seed))
    assert b"".join(pieces) == data
    assert all(pieces)


def test_odd_pieces_end_inside_characters_and_between_cr_and_lf():
    rng = Random(1)
    pieces = [piece for _ in range(200) for piece in odd_pieces(b"".join(MESSAGES), rng)]
    assert any(piece.endswith(b"\r") for piece in pieces)
    assert any(0x80 <= piece[0] < 0xC0 for piece in pieces)
    assert any(b"\r\n" in piece[:-2] for piece in pieces)


@pytest.mark.parametrize("chunking", [Chunking.WHOLE, Chunking.ODD])
def test_gzip_can_be_read_message_by_message(chunking):
    wire = Wire(is_gzip=True, is_delimited=False, chunking=chunking, seed=1)
    reader = zlib.decompressobj(31)
    for message in MESSAGES:
        assert b"".join(map(reader.decompress, wire.chunks([message]))) == message
    reader.decompress(wire.finish())
    assert reader.eof


@pytest.mark.parametrize("is_gzip", [False, True])
@given(messages=st.lists(st.binary(max_size=9_000), max_size=20), seed=st.integers())
def test_split_chunks_carry_every_byte_at_once_and_end_properly(is_gzip, messages, seed):
    wire = Wire(is_gzip=is_gzip, is_delimited=False, chunking=Chunking.SPLIT, seed=seed)
    body = Unchunked(is_gzip)
    for message in messages:
        for piece in wire.chunks([message]):
            assert body.take(piece) == message
    rest = body.take(wire.finish())
    assert not rest.strip(b"\r\n")
    assert body.is_ended


class Unchunked:
    """Reads chunks byte by byte."""

    def __init__(self, is_gzip):
        self._left = 0
        self._line = b""
        self._inflate = zlib.decompressobj(31) if is_gzip else None
        self.is_ended = False

    def take(self, data):
        content = b""
        while data:
            assert not self.is_ended
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                content += part
                continue
            line, _, data = data.partition(b"\r\n")
            if line == b"0":
                assert data == b"\r\n"
                self.is_ended = True
                break
            self._left = int(line, 16) if line else 0
        return content if self._inflate is None else self._inflate.decompress(content)


def test_whole_chunks_are_one_message_each():
    wire = Wire(is_gzip=False, is_delimited=False, chunking=Chunking.WHOLE, seed=1)
    assert wire.chunks(MESSAGES) == MESSAGES
    assert wire.finish() == b""


def test_delimited_messages_say_their_length_with_the_line_end():
    wire = Wire(is_gzip=False, is_delimited=True, chunking=Chunking.WHOLE, seed=1)
    assert wire.chunks([b'{"a":1}\r\n']) == [b'9\r\n{"a":1}\r\n']
