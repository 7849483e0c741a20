"""The ring of configured keys: what a reload changes, and whose address is on this host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.keypools import make_key, make_pool, on_host

from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.ring import PoolChange

A, B, C = make_key("a"), make_key("b"), make_key("c")


def test_the_summary_names_what_changed() -> None:
    pool = make_pool(A, B, C)
    change = pool.replace(
        [replace(A, consumer_secret="other"), replace(C, max_connections=3), make_key("d")], 1.0, on_host
    )
    assert change == PoolChange(added=("d",), removed=("b",), changed=("a",), resized=("c",))


def test_the_same_keys_in_another_order_are_no_change() -> None:
    assert make_pool(A, B).replace([B, A], 1.0, on_host) == PoolChange()


def test_what_a_replacement_would_change_is_told_and_nothing_is_changed() -> None:
    b, c = make_key("b"), make_key("c")
    pool = make_pool(A, b)
    change = pool.ring.difference([replace(A, source_address="192.0.2.1"), c], on_host)
    assert (change.added, change.removed, change.changed) == (("c",), ("b",), ("a",))
    assert [status.name for status in pool.statuses(0.0)] == ["a", "b"]
    assert pool.ring.named("b") == b
    assert pool.ring.named("c") is None


def test_an_address_that_two_looks_in_a_row_miss_is_gone_until_one_finds_it() -> None:
    here, there = replace(A, source_address="127.0.0.2"), replace(B, source_address="127.0.0.3")
    pool = make_pool(here, there, C)
    lost = {"127.0.0.2"}

    def look() -> tuple[tuple[str, ...], tuple[str, ...]]:
        return pool.ring.look_at_addresses(lambda address: address not in lost)

    assert look() == ((), ()), "it may have flapped"
    assert pool.state(A.key_id, 0.0) is KeyState.OK
    assert look() == (("a",), ())
    assert pool.state(A.key_id, 0.0) is KeyState.UNUSABLE
    assert look() == ((), ()), "it is said once"
    lost.clear()
    assert look() == ((), ("a",))
    assert pool.state(A.key_id, 0.0) is KeyState.OK
    lost.add("127.0.0.2")
    assert look() == ((), ())
    lost.clear()
    look()
    lost.add("127.0.0.2")
    assert look() == ((), ()), "not in a row"


def test_the_key_itself_is_given_for_its_connect() -> None:
    pool = make_pool(A)
    assert pool.ring[A.key_id] == A
    with pytest.raises(KeyError):
        _ = pool.ring["00000000"]
