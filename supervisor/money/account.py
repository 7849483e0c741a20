"""What one app read in this UTC day and this billing month, over restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.state.kept import read_kept

_DAY = timedelta(days=1)
_LAST_RESET_DAY = 28  # the last that every month has
_MOST = 1 << 53
_UNREADABLE = (
    "what was spent cannot be read from state_dir; compare with X's own usage, then move state.db away to"
    " count from zero"
)


@dataclass(frozen=True, slots=True)
class Account:
    """Counts of the day and of the month that begins at `month_from`.

    Money that was spent stays counted when the clock is set back: a day that is not over by the new time
    goes on, and one that lies further ahead takes the new date with its counts.
    """

    day: date
    month_from: date
    today: Reads = field(default_factory=Reads)
    month: Reads = field(default_factory=Reads)
    reset_day: int = 1  # X tells it with the usage

    @classmethod
    def opened(cls, wall_now: float, reset_day: int = 1) -> Account:
        """Return an account without reads."""
        today = _day_of(wall_now)
        reset_day = _plausible(reset_day)
        return cls(today, _month_from(today, reset_day), reset_day=reset_day)

    def at(self, wall_now: float) -> Account:
        """Return it at a time: a day or month that is over is closed."""
        today = _day_of(wall_now)
        if today == self.day or today == self.day - _DAY:
            return self
        month_from = _month_from(today, self.reset_day)
        if today < self.day:
            return replace(self, day=today, month_from=month_from)
        month = self.month if month_from == self.month_from else Reads()
        return replace(self, day=today, month_from=month_from, today=Reads(), month=month)

    def add(self, reads: Reads, wall_now: float) -> Account:
        """Return it after these reads."""
        at = self.at(wall_now)
        return replace(at, today=at.today + reads, month=at.month + reads)

    def resetting_on(self, reset_day: int) -> Account:
        """Return it with another first day of the billing month; what is counted stays counted."""
        reset_day = _plausible(reset_day)
        return replace(self, reset_day=reset_day, month_from=_month_from(self.day, reset_day))

    @property
    def day_ends_at(self) -> float:
        """The end of the UTC day (Unix time)."""
        return _start_of(self.day + _DAY)

    @property
    def month_ends_at(self) -> float:
        """The end of the billing month (Unix time)."""
        later = self.month_from.replace(day=1) + 32 * _DAY
        return _start_of(later.replace(day=self.month_from.day))


def dump_account(account: Account) -> dict[str, Any]:
    """Return the account as JSON values for state_dir."""
    return dict(msgspec.to_builtins(account))


def load_account(dump: Mapping[str, Any]) -> Account:
    """Return the account of a dump. Raises TraptorError where it is none."""
    account = read_kept(Account, dump, _UNREADABLE)
    if not _is_possible(account):
        raise TraptorError(_UNREADABLE)
    return account


def _is_possible(account: Account) -> bool:
    reads = (account.today, account.month)
    counts = [
        count for one in reads for count in (one.posts, one.included_posts, one.included_users, one.foreign)
    ]
    return 1 <= account.reset_day <= _LAST_RESET_DAY and all(0 <= count < _MOST for count in counts)


def _day_of(wall: float) -> date:
    return datetime.fromtimestamp(wall, UTC).date()


def _start_of(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _month_from(day: date, reset_day: int) -> date:
    """Return the first day of the billing month that holds the day."""
    if day.day >= reset_day:
        return day.replace(day=reset_day)
    return (day.replace(day=1) - _DAY).replace(day=reset_day)


def _plausible(reset_day: int) -> int:
    return min(max(reset_day, 1), _LAST_RESET_DAY)
