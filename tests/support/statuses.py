"""The status of a world without processes, as status.json would have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from support.stepping import PaperWorld
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.fills.overview import nothing_filled
from traptor.supervisor.reload import ReloadOutcome
from traptor.supervisor.rules.redisuses import RedisUse, UseState
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.status.status import Surroundings, status

Json = dict[str, Any]

WORKS = dict.fromkeys(RedisUse, UseState(RedisState.OK, 1.0))


def status_of(
    world: PaperWorld,
    *,
    groups: Sequence[Any] = (),
    strays: tuple[Rejected, ...] = (),
    known: bool = True,
    redis: Mapping[RedisUse, UseState] = WORKS,
    withheld: Mapping[GroupId, str] | None = None,
    foreign: frozenset[GroupId] = frozenset(),
    reload: ReloadOutcome | None = None,
    jobs: Sequence[Json] = (),
    log_fails: bool = False,
) -> Json:
    around = Surroundings(
        log_lost=0,
        log_fails=log_fails,
        ledger={},
        withheld=withheld or {},
        foreign=foreign,
        jobs=list(jobs),
        redis=redis,
        reload=reload,
        reloads={},
        rates=Rates(),
        apps=[],
        fills=nothing_filled(),
    )
    known_groups = SimpleNamespace(all=lambda: tuple(groups), strays=strays, are_known=known)
    return status(world.context, cast(Any, known_groups), around, world.now)


def group(name: str, *, suspect: bool = False, rules: int = 0, rejected: tuple[Rejected, ...] = ()) -> Any:
    """A group as the status asks for it."""
    snapshot = SimpleNamespace(rules=range(rules), rejected=rejected, inactive=0)
    return SimpleNamespace(id=GroupId.parse(name), snapshot=snapshot, suspect=suspect, ticket=0)
