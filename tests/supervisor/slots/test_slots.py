"""X is asked who holds an app's connection; only a dead worker's of ours is ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace

from traptor.supervisor.slots.slots import Slots
from traptor.supervisor.xapi.answers import ListedConnection
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.failures import ServerTrouble

NOW = 1_790_000_000.0
AT_NOW = "2026-09-21T14:13:20Z"


@dataclass
class World:
    """X with these connections, and the rest of the master."""

    active: list[ListedConnection] = field(default_factory=list)
    living: list[float] = field(default_factory=list)
    connecting: list[bool] = field(default_factory=list)  # what is answered, one after the other
    asked: list[str] = field(default_factory=list)
    fails: int = 0
    facts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def name(self, key_id: str) -> str:
        return f"the name of {key_id}"

    def client(self, _key_id: str) -> XClient | None:
        return cast(XClient, self)

    def streams(self, _key_id: str) -> Sequence[float]:
        return self.living

    def is_connecting(self, _key_id: str) -> bool:
        return self.connecting.pop(0) if self.connecting else False

    def freed(self, key_id: str) -> None:
        self.asked.append(f"freed {key_id}")

    async def connections(self) -> tuple[ListedConnection, ...]:
        self.asked.append("list")
        if self.fails:
            self.fails -= 1
            raise ServerTrouble("list connections: no answer")
        return tuple(self.active)

    async def end_connections(self, uuids: Sequence[str]) -> frozenset[str]:
        self.asked.append(f"end {','.join(uuids)}")
        return frozenset(uuids)

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        self.facts[key_id, what] = dump

    def load_app(self, key_id: str, what: str) -> dict[str, Any] | None:
        return self.facts.get((key_id, what))


def slots(world: World) -> Slots:
    return Slots(world, world, lambda: NOW)


def run(one: Slots, is_done: Callable[[], object]) -> None:
    async def work() -> None:
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(60):
            while not is_done():
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(work())


def connection(client_ip: str) -> ListedConnection:
    return ListedConnection("u1", "filtered_stream", AT_NOW, client_ip=client_ip)


def test_a_dead_connection_is_ended_by_its_id_and_the_stream_may_open() -> None:
    world = World([connection("127.0.0.1")])
    one = slots(world)
    one.connecting("k")
    one.taken("k")
    run(one, lambda: "freed k" in world.asked)
    assert world.asked == ["list", "end u1", "freed k"]


def test_the_journal_of_an_earlier_master_proves_it_too() -> None:
    world = World([connection("127.0.0.1")])
    slots(world).connecting("k")
    one = slots(world)
    one.taken("k")
    run(one, lambda: "freed k" in world.asked)


def test_log_lines_name_the_key_as_all_others_do(caplog: pytest.LogCaptureFixture) -> None:
    world = World([connection("203.0.113.9")])
    one = slots(world)
    one.connecting("k")
    one.taken("k")
    run(one, lambda: one.holder("k"))
    [line] = [record for record in caplog.records if record.getMessage() == "an app's connection is taken"]
    assert line.fields["key"] == "the name of k"  # type: ignore[attr-defined]


def test_somebody_elses_is_named_and_left() -> None:
    world = World([connection("203.0.113.9")])
    one = slots(world)
    one.connecting("k")
    one.taken("k")
    run(one, lambda: one.holder("k"))
    assert one.holder("k") == f"held from 203.0.113.9 since {AT_NOW[:-1]}.000Z"
    assert world.asked == ["list"]
    one.connected("k", NOW)
    assert one.holder("k") == "", "it streams"


def test_nothing_is_judged_while_a_worker_waits_for_its_answer() -> None:
    """X counts its connection already, and we do not yet."""
    world = World([connection("127.0.0.1")], connecting=[True, False, True])
    one = slots(world)
    one.connecting("k")
    one.taken("k")
    run(one, lambda: "freed k" in world.asked)
    assert world.asked == ["list", "list", "end u1", "freed k"]


def test_x_may_be_away_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    world = World([connection("127.0.0.1")], fails=1)
    one = slots(world)
    one.connecting("k")
    one.taken("k")
    one.taken("k")
    run(one, lambda: "freed k" in world.asked)
    [line] = [record for record in caplog.records if record.getMessage() == "connections of an app not known"]
    assert line.levelno == logging.WARNING
    about = {"key": "the name of k", "error": "list connections: no answer"}
    assert line.fields == about  # type: ignore[attr-defined]


def test_a_connection_that_is_gone_meanwhile_is_no_reason_to_wait() -> None:
    world = World([])
    one = slots(world)
    one.taken("k")
    run(one, lambda: "freed k" in world.asked)


def test_our_address_is_learned_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traptor.supervisor.slots.slots._LEARN_AFTER_S", 0.0)
    world = World([connection("198.51.100.3")], living=[NOW])
    one = slots(world)
    one.connected("k", NOW)
    run(one, lambda: world.facts["k", "connects"]["addresses"])
    assert world.facts["k", "connects"]["addresses"] == {"198.51.100.3": NOW}
    one.connected("k", NOW)
    one.taken("k")
    run(one, lambda: len(world.asked) > 1)
    assert world.asked[:2] == ["list", "list"], "the second list is that of `taken`"


def test_an_operator_is_told_whose_connections_an_app_has() -> None:
    away = replace(connection("203.0.113.9"), connected_at="2026-09-21T15:00:00Z")
    world = World([connection("127.0.0.1"), away], living=[NOW])
    said = asyncio.run(slots(world).ask("k"))
    assert said == (
        "open: 2 connections of the app (1 of ours; held from 203.0.113.9 since 2026-09-21T15:00:00.000Z)"
    )
    world.active.clear()
    assert asyncio.run(slots(world).ask("k")) == "the app has no connection open"
    world.fails = 1
    with pytest.raises(ServerTrouble):
        asyncio.run(slots(world).ask("k"))
