"""What one app costs, and whether the operator's caps let it read on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.money.account import Account, dump_accounts, load_accounts
from traptor.supervisor.money.caps import Caps, Spent, capped, crossed
from traptor.supervisor.money.reads import Prices, Reads

log = logging.getLogger(__name__)

_LEAST_COVER_S = 1.0  # between two reports of a worker
_QUIET_S = 3.0


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's prices and caps."""

    prices: Prices = field(default_factory=Prices)
    caps: Caps = field(default_factory=Caps)


class Spending:
    """Owns the account of one app; `save` is called after each change with what `load` takes.

    A master that is killed has not heard of what came since the last report. The next one adds as much as
    came in the last second, so that a cap is reached a little early rather than late.
    """

    def __init__(self, name: str, terms: Terms, wall_now: float, save: Callable[[], object]) -> None:
        self._name = name
        self._terms = terms
        self._account = Account.opened(wall_now)
        self._unheard = Reads()  # what may have come since the last report
        self._heard_at = wall_now
        self._save = save

    @property
    def account(self) -> Account:
        """What was read."""
        return self._account

    @property
    def terms(self) -> Terms:
        """The prices and caps in force."""
        return self._terms

    def agree(self, terms: Terms) -> None:
        """Take over changed prices and caps."""
        self._terms = terms

    def resetting_on(self, day: int, wall_now: float) -> None:
        """Take over the first day of the billing month, which X tells with its usage."""
        if day != self._account.reset_day:
            self._account = self._account.at(wall_now).resetting_on(day)
            self._save()

    def add(self, reads: Reads, wall_now: float) -> None:
        """Count what a worker reported, and log the lines that it crossed."""
        if reads == Reads():
            self._nothing_came(wall_now)
            return
        before = self._account.at(wall_now)
        self._account = before.add(reads, wall_now)
        passed_s = max(_LEAST_COVER_S, wall_now - self._heard_at)
        self._unheard, self._heard_at = _share(reads, _LEAST_COVER_S / passed_s), wall_now
        self._save()
        for line in crossed(before, self._account, self._terms.caps, self._terms.prices):
            log.warning(
                "part of a cap is used up",
                extra=fields(
                    key=self._name,
                    cap=line.spent.kind,
                    percent=line.percent,
                    used=_amount(line.spent.used),
                    of=_amount(line.spent.cap),
                ),
            )

    def _nothing_came(self, wall_now: float) -> None:
        if self._unheard != Reads() and wall_now - self._heard_at > _QUIET_S:
            self._unheard = Reads()
            self._save()

    def capped(self, wall_now: float) -> Spent | None:
        """Return the reached cap that lasts longest; None while the app may read on."""
        return capped(self._account.at(wall_now), self._terms.caps, self._terms.prices)

    def closed(self) -> None:
        """Record an orderly end: nothing comes that is not counted."""
        self._unheard = Reads()
        self._save()

    def dump(self) -> dict[str, Any]:
        """Return what a next master needs, as JSON values."""
        return {**dump_accounts({"account": self._account}), "unheard": msgspec.to_builtins(self._unheard)}

    def load(self, dump: Mapping[str, Any], wall_now: float) -> None:
        """Take over what an earlier master counted. Raises TraptorError."""
        accounts = load_accounts({key: value for key, value in dump.items() if key == "account"})
        if "account" not in accounts:
            raise TraptorError("what was spent cannot be read from state_dir: it names no account")
        self._account = accounts["account"].at(wall_now).add(_reads(dump.get("unheard")), wall_now)
        self._unheard = Reads()
        self._save()


def _share(reads: Reads, share: float) -> Reads:
    """Return the part of it that may come in a second, rounded up."""
    names = ("posts", "included_posts", "included_users", "foreign")
    return Reads(**{name: -int(-getattr(reads, name) * share // 1) for name in names})


def _reads(dump: object) -> Reads:
    try:
        return msgspec.convert(dump, Reads) if dump is not None else Reads()
    except msgspec.ValidationError:
        return Reads()


def _amount(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")
