"""How long a sync leaves X alone after X refused a request, or could not be asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from traptor.common.timing.backoff import doubled
from traptor.supervisor.filters.sync.budget import RequestKind
from traptor.supervisor.keys.conduct.failures import LONGEST_ASKED_S
from traptor.supervisor.xapi.failures import CapExceeded, KeyRefused, OutOfCredit, RequestRefused, XFailure

_FIRST_S = 5.0
_LAST_S = 320.0
_SET_S: Mapping[type[XFailure], float] = {
    OutOfCredit: 1_800.0,
    CapExceeded: 1_800.0,
    KeyRefused: 900.0,
    RequestRefused: 900.0,
}


@dataclass(frozen=True, slots=True)
class Rest:
    """The present rest: why, until when (monotonic seconds), and after how many failures in a row.

    These are counted for each kind of request: X may refuse changes and list.
    """

    trouble: XFailure | None = None
    until: float = 0.0
    troubles: Mapping[RequestKind, int] = field(default_factory=dict)

    def holds(self, now: float) -> bool:
        """Tell whether nothing is to be asked now."""
        return self.trouble is not None and now < self.until

    def after(self, failure: XFailure, kind: RequestKind, now: float) -> Rest:
        """Return the rest after another failure."""
        before = self.troubles.get(kind, 0)
        rest_s = _SET_S.get(type(failure)) or doubled(_FIRST_S, before, _LAST_S)
        troubles = {**self.troubles, kind: before + 1}
        return Rest(failure, now + max(rest_s, _asked_s(failure)), troubles)

    def worked(self, kind: RequestKind) -> Rest:
        """Return it after a request that X carried out."""
        others = {other: count for other, count in self.troubles.items() if other is not kind}
        return replace(self, trouble=None, troubles=others) if others else NO_REST

    def ended_by(self, until: float, now: float) -> Rest:
        """Return it ended by this time at the latest, though not before X may be asked."""
        asked_s = 0.0 if self.trouble is None else _asked_s(self.trouble)
        return replace(self, until=min(self.until, max(until, now + asked_s)))


def _asked_s(failure: XFailure) -> float:
    return min(failure.quota.retry_after_s or 0.0, LONGEST_ASKED_S)


NO_REST = Rest()
