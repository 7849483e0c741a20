"""All metrics, each from the status alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from traptor.common.redis.state import RedisState
from traptor.supervisor.metrics.apps import of_apps, of_fills
from traptor.supervisor.metrics.delivery import of_delivery, of_trial
from traptor.supervisor.metrics.family import Family, Json, counter, gauge
from traptor.supervisor.metrics.keys import of_keys
from traptor.supervisor.metrics.rules import of_rules
from traptor.supervisor.metrics.streams import of_streams, of_tweets, of_workers

_PARTS = (
    of_workers,
    of_streams,
    of_tweets,
    of_delivery,
    of_trial,
    of_rules,
    of_keys,
    of_apps,
    of_fills,
)


def families(status: Json) -> Iterator[Family]:
    """Yield every metric of a status."""
    yield from _of_the_whole(status)
    for part in _PARTS:
        yield from part(status)
    yield from _of_surroundings(status)


def _of_the_whole(status: Json) -> Iterator[Family]:
    problems = Counter(problem["level"] for problem in status["problems"])
    levels = ("ERROR", "WARNING", "INFO")
    yield gauge("build_info", "Version of Traptor.", ("version",), [((status["version"],), 1)])
    yield gauge("ready", "1 once the rules have been read.", (), [((), status["ready"])])
    yield gauge(
        "problems", "Problems now, by level.", ("level",), (((name,), problems[name]) for name in levels)
    )


def _of_surroundings(status: Json) -> Iterator[Family]:
    yield gauge(
        "redis_ok",
        "0 while this use of Redis fails.",
        ("use",),
        (
            ((use["used_for"].replace(" ", "_"),), use["state"] in (RedisState.OK, RedisState.UNKNOWN))
            for use in status["redis_uses"]
        ),
    )
    heartbeat = status["heartbeat"]
    yield gauge("heartbeats_written", "Groups with a heartbeat.", (), [((), heartbeat["written"])])
    yield gauge("heartbeats_withheld", "Groups without a heartbeat.", (), [((), heartbeat["withheld"])])
    refused = bool(status["reload"]["refused"])
    yield gauge("reload_refused", "1 while the last reload was refused.", (), [((), refused)])
    outcomes = ("applied", "refused")
    yield counter(
        "reloads",
        "Reloads by outcome.",
        ("outcome",),
        (((name,), status["reloads"].get(name, 0)) for name in outcomes),
    )
    yield counter(
        "job_failures",
        "Failures of the supervisor's own jobs.",
        ("task",),  # Prometheus has a label `job` of its own
        (((job["job"],), job["failures"]) for job in status["jobs"]),
    )
    yield counter("log_lost", "Log records that could not be written.", (), [((), status["log_lost"])])
    unwritten = status["ledger"].get("unwritten", 0)
    yield gauge("ledger_unwritten", "Entries of the gap ledger not yet on disk.", (), [((), unwritten)])
