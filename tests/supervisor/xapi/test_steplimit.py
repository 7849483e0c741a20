"""A file may take long, as long as it comes."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from itertools import repeat
from typing import Any, TypeVar

import pytest

from traptor.supervisor.xapi.steplimit import STEP_BYTES, StepLimit

T = TypeVar("T")
WITHIN_S = 60.0


class SkippingSelector(selectors.SelectSelector):
    """Has a loop's timers due at once, in their order."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.skipped_s += timeout or 0.0
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """Runs on skipped time."""

    def __init__(self) -> None:
        self.selector = SkippingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.skipped_s


def run(use: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(use)


async def read_until(pieces: Iterator[tuple[float, int]], used_s: float = 0.0) -> float:
    """Read pieces that each come after a time; return when there are no more, or none comes in time."""
    limit = StepLimit(WITHIN_S)

    async def read() -> bytes:
        after_s, size = next(pieces, (0.0, 0))
        await asyncio.sleep(after_s)
        return bytes(size)

    try:
        while await limit.next(read):
            await asyncio.sleep(used_s)
    except TimeoutError:
        pass
    return asyncio.get_running_loop().time()


def test_a_file_that_comes_at_the_least_pace_is_read_to_its_end() -> None:
    pieces = 100 * [(WITHIN_S - 0.1, STEP_BYTES)]
    assert run(read_until(iter(pieces))) == pytest.approx(100 * (WITHIN_S - 0.1))
    halves = 100 * [(WITHIN_S / 2 - 0.1, STEP_BYTES // 2)]
    assert run(read_until(iter(halves))) == pytest.approx(100 * (WITHIN_S / 2 - 0.1))


@pytest.mark.parametrize("size", [1, STEP_BYTES // 100])
def test_a_file_that_drips_ends_in_time(size: int) -> None:
    assert run(read_until(repeat((1.0, size)))) == pytest.approx(WITHIN_S, abs=0.001)


def test_a_quick_beginning_does_not_let_the_rest_drip() -> None:
    quick = 100 * [(0.001, 4 * STEP_BYTES)]
    assert run(read_until(iter([*quick, *1000 * [(1.0, 1)]]))) == pytest.approx(WITHIN_S + 0.1, abs=0.001)


def test_the_time_that_the_reader_takes_does_not_count() -> None:
    pieces = 10 * [(1.0, 1)]
    assert run(read_until(iter(pieces), used_s=2 * WITHIN_S)) == pytest.approx(10 + 10 * 2 * WITHIN_S)
