"""The bytes on the wire carry the messages, however they are cut."""

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.v1.settings import Chunking
from traptor.sandbox.v1.wire import Wire, odd_pieces

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


@pytest.mark.parametrize("chunking", list(Chunking))
def test_gzip_can_be_read_message_by_message(chunking):
    wire = Wire(is_gzip=True, is_delimited=False, chunking=chunking, seed=1)
    reader = zlib.decompressobj(31)
    for message in MESSAGES:
        assert b"".join(map(reader.decompress, wire.chunks([message]))) == message
    reader.decompress(wire.finish())
    assert reader.eof


def test_whole_chunks_are_one_message_each():
    wire = Wire(is_gzip=False, is_delimited=False, chunking=Chunking.WHOLE, seed=1)
    assert wire.chunks(MESSAGES) == MESSAGES
    assert wire.finish() == b""


def test_delimited_messages_say_their_length_with_the_line_end():
    wire = Wire(is_gzip=False, is_delimited=True, chunking=Chunking.WHOLE, seed=1)
    assert wire.chunks([b'{"a":1}\r\n']) == [b'9\r\n{"a":1}\r\n']
