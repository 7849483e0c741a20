"""Up to when what came over a stream that ended is known to be collected."""

from __future__ import annotations

import pytest

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.gaps.start import covered_until, safe_until, until_successor

AT = 1_000.0


def ended(kind: DisconnectKind, *, last_byte_at: float = AT, safe_until: float | None = AT) -> Disconnected:
    return Disconnected(kind=kind, at=AT, last_byte_at=last_byte_at, safe_until=safe_until, streamed=True)


def test_the_end_of_a_body_comes_after_all_that_was_sent() -> None:
    message = ended(DisconnectKind.SERVER_CLOSE, last_byte_at=AT - 20, safe_until=AT - 3)
    assert safe_until(message) == AT
    assert until_successor(message, AT + 1, in_overlap=False) == AT


def test_in_an_overlap_the_server_ends_the_old_stream_when_it_has_opened_the_new_one() -> None:
    message = ended(DisconnectKind.SERVER_CLOSE, safe_until=AT - 3)
    assert until_successor(message, AT + 1, in_overlap=True) == AT + 1


@pytest.mark.parametrize("in_overlap", [False, True])
def test_an_old_stream_that_was_behind_when_we_closed_it_leaves_a_gap_before_its_successor(
    in_overlap: bool,
) -> None:
    message = ended(DisconnectKind.OWN_CLOSE, safe_until=AT - 3)
    assert until_successor(message, AT - 1, in_overlap=in_overlap) == AT - 3


def test_an_old_stream_that_was_not_behind_leaves_none() -> None:
    message = ended(DisconnectKind.OWN_CLOSE, last_byte_at=AT - 20)
    assert until_successor(message, AT - 0.1, in_overlap=False) >= AT - 0.1


@pytest.mark.parametrize("kind", [DisconnectKind.OWN_CLOSE, DisconnectKind.NETWORK])
def test_what_a_worker_had_not_handled_is_not_collected(kind: DisconnectKind) -> None:
    message = ended(kind, safe_until=AT - 3)
    assert safe_until(message) == AT - 3
    assert covered_until(message) == AT - 3


def test_of_a_quiet_stream_what_was_on_its_way_when_we_closed_it_is_lost() -> None:
    message = ended(DisconnectKind.OWN_CLOSE, last_byte_at=AT - 20)
    assert AT - 2 < safe_until(message) < AT


def test_what_was_on_its_way_when_we_closed_an_old_stream_comes_over_its_successor() -> None:
    assert covered_until(ended(DisconnectKind.OWN_CLOSE, last_byte_at=AT - 20)) == AT


@pytest.mark.parametrize("kind", [DisconnectKind.STALL, DisconnectKind.OWN_CLOSE, DisconnectKind.NETWORK])
def test_a_stream_that_missed_its_keep_alive_was_dead_whoever_ended_it(kind: DisconnectKind) -> None:
    message = ended(kind, last_byte_at=AT - 36)
    assert safe_until(message) == covered_until(message) == AT - 36


def test_a_stall_began_with_the_last_byte() -> None:
    message = ended(DisconnectKind.STALL, last_byte_at=AT - 10)
    assert safe_until(message) == covered_until(message) == AT - 10
