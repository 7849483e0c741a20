"""Faults that wait until they strike."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar


class Limited(Protocol):
    """A fault of either API, as far as its waiting goes; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def account(self) -> str | None:
        """Whom it strikes; None means everybody."""

    @property
    def times(self) -> int | None:
        """The number of strikes; None means without limit."""

    @property
    def seconds(self) -> float | None:
        """The duration of its wait; None means until it is cleared."""

    def concerns(self, account: str) -> bool:
        """Tell whether the fault is for this account."""


F = TypeVar("F", bound=Limited)


class Waiting(Generic[F]):
    """The faults that wait."""

    def __init__(self) -> None:
        self._waiting: list[tuple[F, float]] = []  # with the monotonic second at which each ends

    def add(self, fault: F, now_mono_s: float) -> None:
        """Let a fault strike from now on."""
        ends = math.inf if fault.seconds is None else now_mono_s + fault.seconds
        self._waiting.append((fault, ends))

    def waiting(self, now_mono_s: float) -> list[F]:
        """Return the faults in force."""
        self._waiting = [(fault, ends) for fault, ends in self._waiting if now_mono_s < ends]
        return [fault for fault, _ in self._waiting]

    def clear(self, account: str | None) -> None:
        """Forget the faults of one account, or all for None."""
        self._waiting = [one for one in self._waiting if account not in (None, one[0].account)]

    def take_if(
        self, account: str, now_mono_s: float, is_wanted: Callable[[F], bool], most: int | None = None
    ) -> list[F]:
        """Return at most `most` wanted faults that strike this account now, and count one use of each."""
        taken: list[F] = []
        left: list[tuple[F, float]] = []
        for fault, ends in self._waiting:
            is_due = fault.concerns(account) and is_wanted(fault) and now_mono_s < ends
            if is_due and (most is None or len(taken) < most):
                taken.append(fault)
                if fault.times is not None:
                    fault = replace(fault, times=fault.times - 1)
            if fault.times is None or fault.times > 0:
                left.append((fault, ends))
        self._waiting = left
        return taken
