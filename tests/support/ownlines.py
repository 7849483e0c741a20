"""Brings about each state whose code logs it itself, with the real object, and ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis.exceptions

from support.keypools import make_key, make_pool
from support.ledgerhost import Host
from support.ownapplines import APP_DRIVES
from support.ownoutputlines import OUTPUT_DRIVES
from support.paperapp import PaperApp, PaperApps
from support.stepping import A, PlannedWorld, SteppedWorld, make_rules
from traptor.common.errors import ConfigError, Problem, TraptorError
from traptor.common.fills import FillMethod
from traptor.common.logs.throttle import loss_record
from traptor.common.redis.client import redis_client
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor import heartbeats, reload
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.fills.record import FillRecord
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.jobs import STEADY_S, Trouble
from traptor.supervisor.keys import addresses
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.writer import LedgerWriter
from traptor.supervisor.pulse import Found, Sent
from traptor.supervisor.rules.redisuses import RedisUse, RedisUses
from traptor.supervisor.rules.snapshot import Snapshot

Drive = Callable[[Path], None]

TRACK = GroupId.parse("track:0")


# ---- keys, Redis, rules


def lose_an_address(_folder: Path) -> None:
    pool = make_pool(make_key("a", source_address="127.0.0.9"))
    with pytest.MonkeyPatch.context() as patch:
        for has_it in (False, False, True):
            patch.setattr(addresses, "is_on_this_host", lambda _address, has_it=has_it: has_it)
            addresses.look_at_addresses(pool.ring)


def fail_redis(error: Exception) -> Drive:
    def drive(_folder: Path) -> None:
        tell = RedisUses(lambda: True).teller(RedisUse.RULES, redis_client("redis://127.0.0.1:1/0", 1.0))
        tell(error)
        tell(None)

    return drive


def look(world: PlannedWorld, snapshot: Snapshot | None, *hinted: GroupId) -> None:
    """Have a look at all rules find these of track:0, or none at all."""
    seen = {} if snapshot is None else {TRACK: snapshot}
    world.groups.take_look(world.groups.begin_look(frozenset(hinted), is_of_all=True), seen, world.now)


def lose_all_rules(folder: Path) -> None:
    world = PlannedWorld(folder, keys=0)
    rules = Snapshot.of(TRACK, make_rules("track:0", "storm"), world.now)
    for snapshot in (rules, None, None, rules):
        look(world, snapshot)


def reject_a_rule(folder: Path) -> None:
    world = PlannedWorld(folder, keys=0)
    rejected = Rejected("traptor-track:0:1", TRACK, "too long")
    rules = make_rules("track:0", "storm")
    look(world, Snapshot.of(TRACK, [*rules, rejected], world.now))
    look(world, Snapshot.of(TRACK, rules, world.now))


def name_a_key_wrongly(folder: Path) -> None:
    world = PlannedWorld(folder, keys=0)
    world.groups.take_strays([Rejected("traptor-trak:0:1", None, "no type")])
    world.groups.take_strays([])


# ---- gaps and heartbeats


def leave_a_gap(_folder: Path) -> None:
    fill = Fill(1, "v2:app", 1.0, 2.0, FillMethod.SEARCH).given_up("X answered 403: no access", 1_000.0)
    FillRecord(FillBook(None), lambda: None).put(fill)


class Beats:
    """The heartbeats of track:0 in a Redis that is nothing but what the test says."""

    def __init__(self, folder: Path) -> None:
        self.world = SteppedWorld(folder, A)
        self.c = self.world.connection("track:0", "storm")
        known = SimpleNamespace(id=TRACK, snapshot=SimpleNamespace(rules=("storm",)))
        groups = SimpleNamespace(all=lambda: (known,), filter=SimpleNamespace(serves=lambda _: True))
        ledger = SimpleNamespace(unplanned=lambda: ())
        parts: Any = (self.world.context, groups, ledger, None, lambda _error: None)
        self.beats = heartbeats.Heartbeats(*parts)
        self.found: Found | None = None

    def beat(self, times: int = 1) -> None:
        async def read(_client: object, groups: list[GroupId]) -> list[Found | None]:
            return [self.found for _ in groups]

        async def write(_client: object, _groups: object, interval_s: float) -> Sent:
            return Sent(b"ours", interval_s, heartbeats.time.monotonic())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(heartbeats, "read_heartbeats", read)
            patch.setattr(heartbeats, "write_heartbeats", write)
            for _ in range(times):
                asyncio.run(self.beats._beat(1e-6))


def miss_heartbeats(folder: Path) -> None:
    beats = Beats(folder)
    beats.beat(3)
    beats.world.stream(beats.c)
    beats.world.step()
    beats.beat()


def miss_heartbeats_of_what_is_stopped(folder: Path) -> None:
    beats = Beats(folder)
    beats.c.is_stopped = True
    beats.world.step()
    beats.beat(3)
    beats.c.is_stopped = False
    beats.world.stream(beats.c)
    beats.world.step()
    beats.beat()


def miss_heartbeats_until_filters_act(folder: Path) -> None:
    beats = Beats(folder)
    app = PaperApp()
    beats.world.context.apps = PaperApps({A.key_id: app})
    beats.c.app, beats.c.group = A.key_id, None
    app.in_effect = InEffect(acting={TRACK: beats.world.now + 20.0})
    beats.world.stream(beats.c)
    beats.world.step()
    beats.beat(3)
    app.in_effect = InEffect((), "", frozenset((TRACK,)))
    beats.world.step()
    beats.beat()


def share_heartbeats(folder: Path) -> None:
    beats = Beats(folder)
    beats.world.stream(beats.c)
    beats.world.step()
    beats.found = Found(b"another's", 9.0)
    beats.beat(4)


# ---- the master


def refuse_a_reload(folder: Path) -> None:
    world = PlannedWorld(folder, keys=1)
    logs: Any = SimpleNamespace(change=lambda *_: None, know=lambda _: None)
    context: Any = world.context
    one = reload.Reload(context, cast(Any, SimpleNamespace(invalidate=lambda: None)), logs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reload, "take_keys", lambda *_: None)
        patch.setattr(reload, "read_again", _raising(ConfigError([Problem("traptor.ini", "no")])))
        one.run("a file changed")
        patch.setattr(reload, "read_again", lambda old: old)
        one.run("a file changed")


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_args: object) -> Any:
        raise error

    return fail


def fail_to_write_the_ledger(folder: Path) -> None:
    async def write() -> None:
        host = Host(folder)
        writer = LedgerWriter(host.ledger, host.store, lambda: 3600.0, asyncio.Event())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(host.store, "write", _raising(TraptorError("the disk is full")))
            assert not await writer.write()
        assert await writer.write()
        writer.close()

    asyncio.run(write())


def lose_log_lines(_folder: Path) -> None:
    logging.getLogger("traptor").handle(loss_record(1, "supervisor.log"))


def fail_a_job(_folder: Path) -> None:
    trouble = Trouble("hints")
    trouble.failed(OSError("no"), 0.0)
    trouble.went_well(STEADY_S)


DRIVES: list[tuple[tuple[str, ...], str, Drive]] = [
    (("KEYS UNUSABLE",), "source address is not on this host, the key is not used", lose_an_address),
    (("REDIS away",), "Redis is away", fail_redis(redis.exceptions.ConnectionError("no"))),
    (("REDIS refused",), "Redis refuses", fail_redis(redis.exceptions.NoPermissionError("NOPERM"))),
    (("RULES_SUSPECT",), "rules suspect", lose_all_rules),
    (("RULES_REJECTED",), "rule rejected", reject_a_rule),
    (("STRAYS",), "rule rejected", name_a_key_wrongly),
    *APP_DRIVES,
    *OUTPUT_DRIVES,
    (
        ("GAP_UNFILLED", *(f"GAP_REFUSED {method}" for method in FillMethod)),
        "a gap could not be filled",
        leave_a_gap,
    ),
    (("HEARTBEAT",), "heartbeat withheld", miss_heartbeats),
    (("HEARTBEAT_OF_STOPPED",), "heartbeat withheld", miss_heartbeats_of_what_is_stopped),
    (("HEARTBEAT_SOON",), "heartbeat withheld", miss_heartbeats_until_filters_act),
    (("HEARTBEAT_SHARED",), "somebody else writes this heartbeat", share_heartbeats),
    (("RELOAD_REFUSED",), "reload refused", refuse_a_reload),
    (("LEDGER_FAILS",), "the gap ledger is not written, it is kept in memory", fail_to_write_the_ledger),
    (("LOG_FAILS",), "log lines lost", lose_log_lines),
    (("JOB_FAILS",), "a job of the master failed, it is restarted", fail_a_job),
]
