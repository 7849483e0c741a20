"""Everything that the API may ask of a running supervisor, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traptor.common.config.settings import Settings
from traptor.supervisor.ledger.answers.answer import View
from traptor.supervisor.orders.connections import ConnectionOrders
from traptor.supervisor.orders.keys import KeyOrders
from traptor.supervisor.orders.sampling import Sampling

Json = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """What the master hands to the API.

    `status` returns the content of status.json as of now, `rates` the tweets a second of a connection's last
    hour, a minute each. `view` returns the ledger in memory, `ledger` is its file.
    `foresee` tells what a reload would change; `reload` makes one, and may accept that the rules of suspect
    groups are gone. `find` returns the rules of a name, `without_filter` why
    X has no filter for a rule, by its Redis key (v2), `last_matches` when each matched last.
    """

    status: Callable[[], Json]
    rates: Callable[[str], Sequence[float]]
    view: Callable[[], View]
    ledger: Path
    foresee: Callable[[], Json]
    reload: Callable[[bool], Awaitable[Json]]
    find: Callable[[str], list[Json]]
    without_filter: Callable[[], Mapping[str, str]]
    last_matches: Callable[[list[Json]], Awaitable[dict[str, float | None] | None]]
    connections: ConnectionOrders
    keys: KeyOrders
    sampling: Sampling
    settings: Callable[[], Settings]  # those in force
