"""Messages are kept only while somebody asks, the newest ones, and sent in pieces that fit into frames."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.messages import MAX_FRAME_BYTES, Sample, frame
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sampler import MOST_BYTES, MOST_MESSAGES, Sampler


def taken(sampler: Sampler) -> list[Sample]:
    pieces = list(sampler.take(time.monotonic()))
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces


def message(body: bytes) -> Outgoing:
    return Outgoing(body, "1", ("1",))


def messages(sampler: Sampler) -> list[bytes]:
    return [message for piece in taken(sampler) for message in piece.messages]


def test_nothing_is_kept_before_somebody_asks() -> None:
    sampler = Sampler()
    sampler.offer([message(b"early")])
    assert messages(sampler) == []
    sampler.offer([message(b"one")])
    sampler.offer([Outgoing(b"no tweet", None, ()), message(b"two")])
    assert messages(sampler) == [b"one", b"two"]
    assert messages(sampler) == []


def test_nothing_is_kept_once_nobody_asks_any_more() -> None:
    sampler = Sampler()
    list(sampler.take(time.monotonic() - 6))
    sampler.offer([message(b"late")])
    assert messages(sampler) == []


def test_the_newest_thousand_are_kept_and_the_others_counted() -> None:
    sampler = Sampler()
    taken(sampler)
    for number in range(MOST_MESSAGES + 5):
        sampler.offer([message(b"%d" % number)])
    [piece] = taken(sampler)
    assert piece.messages[0] == b"5"
    assert len(piece.messages) == MOST_MESSAGES
    assert piece.skipped == 5


@given(st.lists(st.integers(0, 2_000_000), max_size=12))
def test_every_piece_fits_into_a_frame_and_memory_is_limited(sizes: list[int]) -> None:
    sampler = Sampler()
    taken(sampler)
    for size in sizes:
        sampler.offer([message(b"x" * size)])
    pieces = taken(sampler)
    assert all(len(frame(piece)) < MAX_FRAME_BYTES for piece in pieces)
    sent = [len(message) for piece in pieces for message in piece.messages]
    assert sum(sent) <= MOST_BYTES
    assert len(sent) + pieces[-1].skipped == len(sizes)


@pytest.mark.parametrize("asks", [1, 3])
def test_an_answer_ends_even_if_there_is_nothing(asks: int) -> None:
    sampler = Sampler()
    for _ in range(asks):
        assert taken(sampler) == [Sample([], 0, True)]
