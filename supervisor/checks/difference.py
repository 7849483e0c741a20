"""Compare what a supervisor does with what a fresh start would do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from traptor.supervisor.checks.plan import PlannedConnection
from traptor.supervisor.checks.running import waits
from traptor.supervisor.control.client import SeenConnection

SAME = "the same"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One connection as it runs; `fresh` is the same connection after a fresh start."""

    name: str
    state: str
    streams: bool
    rules: int
    key: str | None
    waits: str
    fresh: str

    @property
    def differs(self) -> bool:
        """True when a fresh start would change more than which of several good keys is used."""
        return self.fresh not in (SAME, UNKNOWN)


def compare(
    running: Iterable[SeenConnection], planned: Iterable[PlannedConnection] | None
) -> list[Comparison]:
    """Pair both by name; `planned` is None when the result of a fresh start is unknown."""
    if planned is None:
        return [_compare(c, UNKNOWN) for c in running]
    now = {c.connection: c for c in running}
    then = {row.name: row for row in planned}
    return [
        _compare(now[name], _fresh(now[name], then.get(name))) if name in now else _absent(then[name])
        for name in sorted(now.keys() | then.keys())
    ]


def _compare(c: SeenConnection, fresh: str) -> Comparison:
    return Comparison(
        name=c.connection,
        state=c.shown_state,
        streams=c.streams,
        rules=c.rules,
        key=_key(c),
        waits=(c.waits_for or "") if c.streams or c.state == "QUIET" else waits(c),
        fresh=fresh,
    )


def _absent(row: PlannedConnection) -> Comparison:
    return Comparison(row.name, "not running", False, 0, None, "", _planned(row))


def _fresh(c: SeenConnection, row: PlannedConnection | None) -> str:
    if row is None:
        return "would not exist" if c.rules else SAME
    if (row.rules, row.key is None) == (c.rules, _key(c) is None):
        return SAME
    return _planned(row)


def _planned(row: PlannedConnection) -> str:
    return f"{row.rules:,} rules, {row.key or 'waits for a key'}"


def _key(c: SeenConnection) -> str | None:
    """Return the key that the connection has, whether or not it could connect with it."""
    return c.serving.key if c.serving else None
