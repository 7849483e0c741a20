"""What is to be done about the end of a v2 stream, or of an attempt to open one. Pure.

A status alone says too little: X answers 429 for a used-up window, for a used-up cap, and for one connection
too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from traptor.common.messages import Disconnected


class Cure(StrEnum):
    """The reactions that v1.1 does not know."""

    MONEY = "money"  # the account has no credit: no other key of it helps
    CAP = "cap"  # its usage cap at X is reached: nor does one here
    SLOT = "slot"  # look who holds the app's connection
    FILTERS = "filters"  # look at the app's filters: none stands there
    BEARER = "bearer"  # its token is not valid: fetch another


_BY_PROBLEM: Mapping[str, Cure | None] = {
    "usage-capped": Cure.CAP,
    "UsageCapExceeded": Cure.CAP,
    "credits": Cure.MONEY,
    "credits-depleted": Cure.MONEY,
    "CreditsDepleted": Cure.MONEY,
    "TooManyConnections": Cure.SLOT,
    "RuleConfigurationIssue": Cure.FILTERS,
    "RulesInvalidIssue": Cure.FILTERS,
    "ProvisioningSubscription": None,  # X is not ready yet, and says so with a 409, too
}
_BY_STATUS: Mapping[int, Cure] = {401: Cure.BEARER, 402: Cure.MONEY, 409: Cure.FILTERS}


def cure_of(ended: Disconnected) -> Cure | None:
    """Return what is to be done, or None: it waits as under v1.1."""
    return cure_by(ended.problem, ended.status)


def cure_by(problem: str, status: int | None) -> Cure | None:
    """Return what is to be done about a problem that X named with this status; None: nothing special."""
    if problem in _BY_PROBLEM:
        return _BY_PROBLEM[problem]
    return _BY_STATUS.get(status) if status is not None else None


def why(ended: Disconnected) -> str:
    """Return a sentence for people."""
    said = ": ".join(text for text in (ended.problem, ended.detail) if text)
    status = f"X answered {ended.status}" if ended.status else "X ended the stream"
    return f"{status}: {said}" if said else status
