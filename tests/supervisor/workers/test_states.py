"""The table of moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from traptor.common.errors import ProtocolError
from traptor.supervisor.workers.states import MOVES, GenerationState, check_move

S = GenerationState


def test_a_life_without_trouble_is_legal() -> None:
    life = [
        S.STARTING,
        S.READY,
        S.CONNECTING,
        S.STREAMING,
        S.READY,
        S.CONNECTING,
        S.READY,
        S.DRAINING,
        S.GONE,
    ]
    for old, new in pairwise(life):
        check_move(old, new)


def test_a_full_outbox_closes_the_stream_and_is_left_through_ready() -> None:
    for old, new in [(S.STREAMING, S.OUTBOX_FULL), (S.READY, S.OUTBOX_FULL), (S.OUTBOX_FULL, S.READY)]:
        check_move(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [(S.READY, S.STREAMING), (S.STARTING, S.CONNECTING), (S.STREAMING, S.CONNECTING), (S.DRAINING, S.READY)],
)
def test_no_state_is_skipped(old: GenerationState, new: GenerationState) -> None:
    with pytest.raises(ProtocolError, match="not a legal move"):
        check_move(old, new)


def test_nothing_leads_back_from_the_end() -> None:
    assert not [move for move in MOVES if move[0] is S.GONE]
    assert {new for old, new in MOVES if old is S.DRAINING} == {S.GONE}
