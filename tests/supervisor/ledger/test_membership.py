"""Which rules are where: told when it is not as it was, and never twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.ledger.membership import Membership, carried_by, is_told, named_in_entries
from traptor.supervisor.ledger.records import Carried, Placement

ONE, TWO = (Rule(f"traptor-track:0:{n}", n, GroupId.parse("track:0"), (n,), b"{}") for n in ("1", "2"))


def generation(number: int, rules: tuple[Rule, ...], streaming_since: float | None) -> Any:
    birth = SimpleNamespace(generation=number, rules=rules)
    return SimpleNamespace(
        birth=birth, spec=SimpleNamespace(rules=f"print {len(rules)}"), streaming_since=streaming_since
    )


def connection(*generations: Any, wanted: tuple[Rule, ...] | None) -> Any:
    spec = SimpleNamespace(rules="wanted print")
    return SimpleNamespace(
        app=None,
        generations=generations,
        wanted=None if wanted is None else SimpleNamespace(rules=wanted, spec=spec),
    )


def test_what_is_as_it_was_is_not_told_again() -> None:
    membership = Membership([])
    assert membership.look("track:0", "a", (ONE,), 1.0) == [Placement("track:0", (ONE,), 1.0)]
    assert membership.look("track:0", "a", (ONE,), 2.0) == []
    assert membership.look("track:0", "b", (), 3.0) == [Placement("track:0", (), 3.0, (ONE,))]
    assert list(membership.places) == ["track:0"]
    assert membership.empty("track:0", 4.0) == [Placement("track:0", (), 4.0, ())]
    assert not membership.places
    assert membership.look("track:0", "a", (ONE,), 5.0) == [Placement("track:0", (ONE,), 5.0, None)]


def test_a_predecessors_places_are_told_of_once_more() -> None:
    """What it wrote last may not be all."""
    membership = Membership(["track:0"])
    assert membership.look("track:0", "a", (ONE,), 1.0) == [Placement("track:0", (ONE,), 1.0)]


def test_a_stream_carries_its_own_rules_and_not_those_that_are_wanted() -> None:
    old, new = generation(1, (ONE,), 5.0), generation(2, (ONE, TWO), None)
    assert carried_by(connection(old, new, wanted=(ONE, TWO))) == (Carried("print 1", 1), (ONE,))
    new.streaming_since = 6.0
    assert carried_by(connection(old, new, wanted=())) == (Carried("print 2", 2), (ONE, TWO))


def test_a_connection_without_a_stream_carries_what_it_waits_with() -> None:
    assert carried_by(connection(wanted=(ONE, TWO))) == (Carried("wanted print", 2), (ONE, TWO))
    assert carried_by(connection(generation(1, (ONE,), None), wanted=None)) == (Carried(), ())


def test_the_connection_of_an_app_carries_what_is_in_effect_at_x() -> None:
    """Whether or not it streams; a gap of its own counts for these rules, and the others are uncarried."""
    c = connection(generation(1, (ONE, TWO), 5.0), wanted=(ONE, TWO))
    c.app, c.is_planned, c.in_effect = "k1", True, None
    assert not is_told(c), "nobody has told yet"
    c.streams = False
    assert named_in_entries(c) == Carried("wanted print", 2), "a gap names the rules that wait in it"
    c.in_effect = InEffect((TWO,), "print of two", frozenset({TWO.group}))
    assert is_told(c)
    assert carried_by(c) == (Carried("print of two", 1), (TWO,))
    assert named_in_entries(c) == Carried("print of two", 1)
    c.is_planned = False
    assert carried_by(c) == (Carried(), ())
