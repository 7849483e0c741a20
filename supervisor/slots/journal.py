"""The connects of an app, and our addresses as X sees them: they prove that a connection is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from traptor.supervisor.state.kept import read_kept

NEAR_S = 5.0  # between our clock's time of a connect and X's
_KEEP_S = 3 * 86_400.0  # X was seen to keep a dead connection for a day
_MOST = 400
_ADDRESS_KNOWN_S = 86_400.0
_UNREADABLE = "the journal of connects cannot be read from state_dir; dead connections are waited for"


@dataclass(frozen=True, slots=True)
class Journal:
    """The connects of one app, and our addresses, each with when X last named it; times are Unix seconds."""

    connects: tuple[float, ...] = ()
    addresses: dict[str, float] = field(default_factory=dict)

    def connected(self, at: float) -> Journal:
        """Return it after a connect at `at`."""
        kept = [one for one in self.connects if one > at - _KEEP_S]
        return replace(self, connects=(*kept, at)[-_MOST:])

    def came_from(self, address: str, at: float) -> Journal:
        """Return it after X named an address of ours."""
        kept = {one: seen for one, seen in self.addresses.items() if seen > at - _KEEP_S}
        return replace(self, addresses={**kept, address: at})

    def knows_address(self, now: float) -> bool:
        """Tell whether X named an address of ours lately."""
        return any(seen > now - _ADDRESS_KNOWN_S for seen in self.addresses.values())

    def has_connect_near(self, at: float) -> bool:
        """Tell whether we connected at about that time."""
        return any(abs(one - at) <= NEAR_S for one in self.connects)


def dump_journal(journal: Journal) -> dict[str, Any]:
    """Return it as JSON values for state_dir."""
    return dict(msgspec.to_builtins(journal))


def load_journal(dump: Mapping[str, Any]) -> Journal:
    """Return the journal of a dump. Raises TraptorError when it is none."""
    return read_kept(Journal, dump, _UNREADABLE)
