"""Ids in little memory."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.seen.ids import MOST, SeenIds, number_of, numbers_of


@pytest.mark.parametrize("text", ["x", "-5", "0", "", None, str(MOST + 1)])
def test_what_is_no_usual_id_is_no_number(text: str | None) -> None:
    assert number_of(text) is None
    assert number_of(str(MOST)) == MOST
    assert numbers_of(["7", text, str(MOST)]) == [7, 0, MOST]
    assert numbers_of(["7", str(MOST)]) == [7, MOST]
    assert numbers_of([]) == []


@given(st.lists(st.integers(1, 400)), st.integers(1, 50))
def test_the_last_ids_are_known_and_no_unknown_one_is(numbers: list[int], least: int) -> None:
    seen, order = SeenIds(least), dict[int, None]()
    for number in numbers:
        assert seen.has(number) or number not in list(order)[-least:]
        is_new = seen.add([number]) == [number]
        if number in list(order)[-least:]:
            assert not is_new
        if number not in order:
            assert is_new
        assert seen.has(number)
        if is_new:
            order.pop(number, None)
            order[number] = None


@given(st.lists(st.integers(1, 400), unique=True), st.lists(st.integers(401, 800), unique=True))
def test_ids_are_forgotten_by_the_second_time_that_they_age(first: list[int], second: list[int]) -> None:
    seen = SeenIds(1_000)
    for number in first:
        seen.add([number])
    seen.age()
    for number in second:
        seen.add([number])
    assert all(map(seen.has, [*first, *second]))
    seen.age()
    assert not any(map(seen.has, first))
    assert all(map(seen.has, second))


def test_however_many_ids_come_together_the_last_are_known() -> None:
    seen = SeenIds(1 << 12)
    numbers = range(1, 20_000)
    assert seen.add(numbers) == list(numbers)
    assert all(seen.known(numbers[-(1 << 12) :]))
    assert seen.size_bytes <= 32 * (1 << 12)


def test_ids_take_no_more_memory_than_promised() -> None:
    seen = SeenIds(1 << 12)
    for number in range(1, 1 << 15):
        assert seen.add([number << 22])
    assert seen.size_bytes <= 32 * (1 << 12)
    assert not seen.add([((1 << 15) - 1) << 22])


class Watched(list[int]):
    """Slots that count how often one is looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)


@pytest.mark.parametrize("apart", [1, 2, 1 << 12, 1 << 22, (1 << 22) * 1_000])
def test_an_id_is_found_in_a_few_looks_whatever_the_others_are(apart: int) -> None:
    seen, others = SeenIds(1 << 16), range(1 << 60, (1 << 60) + 2_000 * apart, apart)
    seen.add(others)
    slots = seen._young.slots = Watched(seen._young.slots)  # type: ignore[assignment]
    rng = Random(1)
    some = [rng.randrange(1, MOST) for _ in range(1_000)]
    assert not any(seen.known(some))
    assert all(seen.known(others))
    assert slots.looks <= 4 * (len(some) + len(others))
