"""What one app costs, and whether the operator's caps let it read on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.money.account import Account, dump_account, load_account
from traptor.supervisor.money.caps import Caps, Spent, capped, crossed
from traptor.supervisor.money.reads import Prices, Reads

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's prices and caps."""

    prices: Prices = field(default_factory=Prices)
    caps: Caps = field(default_factory=Caps)


class Spending:
    """Owns the account of one app; `save` is called after each change with what `load` takes.

    Workers tell totals of their own, by their generation's name. What of them is in the account is saved with
    it, so that nothing is counted twice or not at all, whoever is killed.
    """

    def __init__(self, name: str, terms: Terms, wall_now: float, save: Callable[[], object]) -> None:
        self._name = name
        self._terms = terms
        self._account = Account.opened(wall_now)
        self._counted: dict[str, Reads] = {}  # by worker: what of its reads the account holds
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

    def read(self, worker: str, total: Reads, wall_at: float) -> None:
        """Count what is new in a worker's total, as read at this Unix time, and log the lines it crossed."""
        known = self._counted.get(worker)
        new = total.beyond(known or Reads())
        if known is not None and new == Reads():
            return
        self._counted[worker] = (known or Reads()) + new
        before = self._account.at(wall_at)
        self._account = before.add(new, wall_at)
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

    def forget(self, worker: str) -> None:
        """Forget a worker that tells nothing any more; what it read stays counted."""
        self._counted.pop(worker, None)

    def capped(self, wall_now: float) -> Spent | None:
        """Return the reached cap that lasts longest; None while the app may read on."""
        return capped(self._account.at(wall_now), self._terms.caps, self._terms.prices)

    def dump(self) -> dict[str, Any]:
        """Return what a next master needs, as JSON values."""
        return {
            "account": dump_account(self._account),
            "counted": msgspec.to_builtins(self._counted),
        }

    def load(self, dump: Mapping[str, Any]) -> None:
        """Take over what an earlier master counted. Raises TraptorError.

        What its workers read and did not tell is still to be counted; `begin` follows.
        """
        account = dump.get("account")
        if not isinstance(account, dict):
            raise TraptorError("what was spent cannot be read from state_dir: it names no account")
        self._account, self._counted = load_account(account), _counted(dump.get("counted"))

    def begin(self, workers: Container[str], wall_now: float) -> None:
        """Go on with the time, and with no other workers of an earlier master than these."""
        self._account = self._account.at(wall_now)
        self._counted = {name: reads for name, reads in self._counted.items() if name in workers}
        self._save()


def _counted(dump: object) -> dict[str, Reads]:
    try:
        return msgspec.convert(dump or {}, dict[str, Reads])
    except msgspec.ValidationError:
        return {}


def _amount(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")
