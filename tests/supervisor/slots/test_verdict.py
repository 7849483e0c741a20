"""A connection is ended at X only if all three say that it is a dead worker's of ours."""

from __future__ import annotations

import msgspec
import pytest

from traptor.common.errors import TraptorError
from traptor.supervisor.slots.journal import Journal, dump_journal, load_journal
from traptor.supervisor.slots.verdict import SlotVerdict, address_of, judge
from traptor.supervisor.xapi.answers import ListedConnection

T = 1_790_000_000.0
AT_T = "2026-09-21T14:13:20Z"
OURS = "192.0.2.1"
THEIRS = "203.0.113.9"


def connection(client_ip: str = OURS, connected_at: str = AT_T) -> ListedConnection:
    return ListedConnection("u1", "filtered_stream", connected_at, client_ip=client_ip)


def verdict(
    one: ListedConnection, *, connects: tuple[float, ...] = (T,), living: tuple[float, ...] = ()
) -> SlotVerdict:
    return judge([one], Journal(connects), living, lambda address: address == OURS)


def test_our_connection_that_no_worker_has_is_dead() -> None:
    assert verdict(connection(), connects=(T - 4.9,)) == SlotVerdict(("u1",))


@pytest.mark.parametrize(
    ("one", "connects"),
    [
        (connection(THEIRS), (T,)),
        (connection(), (T - 5.1,)),
        (connection(), ()),
        (connection(connected_at="some time ago"), (T,)),
        (connection(""), (T,)),
    ],
    ids=["another address", "another time", "no connect of ours", "no time", "no address"],
)
def test_of_any_other_it_is_said_whose_it_is(one: ListedConnection, connects: tuple[float, ...]) -> None:
    found = verdict(one, connects=connects)
    assert found.dead == ()
    assert found.others.startswith("held from ")


def test_a_stream_that_we_have_is_neither_dead_nor_somebody_elses() -> None:
    assert verdict(connection(), living=(T + 2.0,)) == SlotVerdict()


def test_who_holds_it_is_named_with_address_and_time() -> None:
    assert verdict(connection(THEIRS)).others == "held from 203.0.113.9 since 2026-09-21T14:13:20.000Z"


def test_an_address_that_x_named_is_ours_though_this_host_does_not_have_it() -> None:
    journal = Journal((T,)).came_from(THEIRS, T)
    assert judge([connection(THEIRS)], journal, (), lambda _: False).dead == ("u1",)


def test_our_address_is_learned_from_the_only_connection_at_that_time() -> None:
    assert address_of([connection(THEIRS)], T) == THEIRS
    assert address_of([connection(THEIRS)], T + 60) == ""
    assert address_of([connection(THEIRS), connection(OURS)], T) == ""


def test_the_journal_survives_and_forgets_what_is_old() -> None:
    journal = Journal().connected(T).came_from(OURS, T)
    assert load_journal(dump_journal(journal)) == journal
    assert journal.connected(T + 4 * 86_400).connects == (T + 4 * 86_400,)
    assert journal.knows_address(T + 3_600)
    assert not journal.knows_address(T + 2 * 86_400)
    with pytest.raises(TraptorError, match="journal of connects"):
        load_journal({"connects": "x"})


def test_a_connection_without_an_id_is_never_to_be_ended() -> None:
    found = verdict(msgspec.structs.replace(connection(), id=""))
    assert found.dead == ()
    assert "held from" in found.others
