"""Frames are read whole, and never more than one."""

from __future__ import annotations

import socket

import pytest

from traptor.common.errors import ProtocolError
from traptor.common.messages import HEADER, MAX_FRAME_BYTES, Drain, Reopen, frame, from_master
from traptor.worker.hearing.frames import read_payload


def test_one_after_the_other_until_the_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(frame(Reopen()) + frame(Drain(2.0)) + HEADER.pack(5) + b"half")
        ours.close()
        assert from_master(read_payload(theirs)) == Reopen()
        assert from_master(read_payload(theirs)) == Drain(2.0)
        with pytest.raises(EOFError):
            read_payload(theirs)


def test_one_that_is_too_large_is_an_error_before_it_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(HEADER.pack(MAX_FRAME_BYTES + 1))
        with pytest.raises(ProtocolError):
            read_payload(theirs)
