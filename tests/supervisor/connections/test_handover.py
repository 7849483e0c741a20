"""The choice among the ways of a refresh."""

from __future__ import annotations

from itertools import product

import pytest

from traptor.supervisor.connections.handover import Possible, choose_way
from traptor.supervisor.workers.generation import Way

ALL = tuple(Way)


@pytest.mark.parametrize(
    ("possible", "way"),
    [
        (Possible(slot=True, spare=True, overlap=True, serial=True), Way.SLOT),
        (Possible(slot=False, spare=True, overlap=True, serial=True), Way.SPARE),
        (Possible(slot=False, spare=False, overlap=True, serial=True), Way.OVERLAP),
        (Possible(slot=False, spare=False, overlap=False, serial=True), Way.SERIAL),
        (Possible(slot=False, spare=False, overlap=False, serial=False), None),
    ],
)
def test_the_first_possible_way_is_taken(possible: Possible, way: Way | None) -> None:
    assert choose_way(ALL, possible) is way


def test_the_order_of_the_ini_does_not_matter() -> None:
    possible = Possible(slot=True, spare=True, overlap=True, serial=True)
    assert choose_way((Way.SERIAL, Way.SPARE), possible) is Way.SPARE


def test_a_way_that_is_not_allowed_is_never_taken() -> None:
    for flags in product((False, True), repeat=4):
        possible = Possible(*flags)
        for left_out in Way:
            assert choose_way([way for way in Way if way is not left_out], possible) is not left_out
