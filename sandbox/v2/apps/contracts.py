"""The contracts that apps have with X, and what each allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

EVERY_APP = "all"


@dataclass(frozen=True, slots=True)
class Contract:
    """The limits of an app."""

    connections: int  # live streams at the same time
    rules: int  # filters
    rule_length: int  # characters of a filter
    query_length: int = 1024  # characters of a search
    backfill_minutes: int = 0
    recovery_jobs: int = 0  # at the same time
    is_enterprise: bool = False


ENTERPRISE = Contract(2, 25_000, 2048, 4096, backfill_minutes=5, recovery_jobs=2, is_enterprise=True)


class Contracts:
    """The contract of each app: the usual one, or Enterprise."""

    def __init__(self, usual: Contract, enterprise: Iterable[str]) -> None:
        self._usual = usual
        self._enterprise = set(enterprise)

    def of(self, app: str) -> Contract:
        """Return the contract of an app."""
        return self._usual if self._enterprise.isdisjoint((app, EVERY_APP)) else ENTERPRISE

    def replace(self, enterprise: Iterable[str]) -> None:
        """Give these apps an Enterprise contract, and all others the usual one."""
        self._enterprise = set(enterprise)
