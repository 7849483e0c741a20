"""All metrics, each from the status alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from traptor.common.redis.state import RedisState
from traptor.supervisor.keys.states import KeyState
from traptor.supervisor.metrics.family import Json, Sample, counter, each, gauge, histogram
from traptor.supervisor.workers.leftovers import other_connection
from traptor.supervisor.workers.states import ConnectionState

_CONNECTION = ("connection",)


def families(status: Json) -> Iterator[Metric]:
    """Yield every metric of a status."""
    yield from _of_the_whole(status)
    yield from _of_streams(status)
    yield from _of_tweets(status)
    yield from _of_delivery(status)
    yield from _of_rules(status)
    yield from _of_keys(status)
    yield from _of_surroundings(status)
    yield from _of_apps(status)
    yield from _of_fills(status)


def _of_the_whole(status: Json) -> Iterator[Metric]:
    problems = Counter(problem["level"] for problem in status["problems"])
    levels = ("ERROR", "WARNING", "INFO")
    yield gauge("build_info", "Version of Traptor.", ("version",), [((status["version"],), 1)])
    yield gauge("ready", "1 once the rules have been read.", (), [((), status["ready"])])
    yield gauge(
        "problems", "Problems now, by level.", ("level",), (((name,), problems[name]) for name in levels)
    )
    states = Counter((_type_of(c), c["state"]) for c in status["connections"])
    types = {_type_of(c) for c in status["connections"]}
    yield gauge(
        "workers",
        "Connections by type of rules and state.",
        ("type", "state"),
        (((kind, state), states[kind, state]) for kind in sorted(types) for state in ConnectionState),
    )


def _of_streams(status: Json) -> Iterator[Metric]:
    connections = status["connections"]
    yield gauge(
        "worker_up",
        "1 while a worker process serves the connection.",
        _CONNECTION,
        (((c["connection"],), c["serving"] is not None) for c in connections),
    )
    yield gauge(
        "worker_start_timestamp_seconds",
        "When the worker process was started.",
        _CONNECTION,
        each(connections, "serving", "born_at"),
    )
    yield gauge(
        "worker_memory_bytes",
        "Anonymous memory of the worker process.",
        _CONNECTION,
        each(connections, "serving", "vitals", "anonymous_bytes"),
    )
    yield counter(
        "worker_restarts",
        "Workers replaced after an unplanned end, by reason.",
        ("connection", "reason"),
        _by_part(connections, "restart_reasons"),
    )
    yield gauge(
        "stream_connected", "1 while the connection streams.", _CONNECTION, each(connections, "collecting")
    )
    yield gauge(
        "stream_wanted",
        "1 while the connection should stream: it has rules and is not stopped.",
        _CONNECTION,
        (((c["connection"],), _is_wanted(c)) for c in connections),
    )
    collecting = {c["connection"] for c in connections if c["collecting"]}
    yield gauge(
        "stream_covered",
        "1 while the other connection of its app brings the same posts.",
        _CONNECTION,
        (
            ((c["connection"],), bool(c.get("covered")) and other_connection(c["connection"]) in collecting)
            for c in connections
        ),
    )
    yield gauge(
        "stream_last_message_timestamp_seconds",
        "When the last byte came over the stream, keep-alives included.",
        _CONNECTION,
        each(connections, "serving", "last_byte"),
    )
    yield counter(
        "stream_connects",
        "Attempts to open a stream, by key and what came of them.",
        ("key", "outcome"),
        (((one["key"], one["outcome"]), one["count"]) for one in status["openings"]),
    )
    yield counter(
        "streaming_seconds",
        "Time in which the connection streamed.",
        _CONNECTION,
        each(connections, "streaming_seconds"),
    )
    yield counter(
        "gap_seconds",
        "Time in which the connection should have streamed and did not, by cause.",
        ("connection", "cause"),
        _by_part(connections, "gap_seconds"),
    )


def _of_tweets(status: Json) -> Iterator[Metric]:
    connections = status["connections"]
    for name, member, what in (
        ("tweets_received", "received", "Tweets received."),
        ("received_bytes", "received_bytes", "Bytes of all messages received."),
        ("tweets_matched", "matched", "Tweets that matched a rule."),
        ("tweets_inferred", "inferred", "Tweets that matched by the wider reading only."),
        ("tweets_unmatched", "unmatched", "Tweets that matched no rule."),
        ("limited_tweets", "limited", "Tweets that the server reported as withheld."),
        ("broken_lines", "broken", "Lines of the stream that are not JSON objects."),
    ):
        yield counter(name, what, _CONNECTION, each(connections, "total", member))
    yield counter(
        "other_messages",
        "Messages other than tweets, by kind.",
        ("connection", "kind"),
        (((c["connection"], kind), n) for c in connections for kind, n in c["total"]["other"].items()),
    )


def _of_delivery(status: Json) -> Iterator[Metric]:
    connections, sink = status["connections"], status["output"]["kind"]
    yield counter(
        "tweets_delivered",
        "Messages delivered: written, or confirmed by Kafka.",
        ("connection", "sink"),
        (((c["connection"], sink), c["total"]["delivered"]) for c in connections),
    )
    yield counter(
        "tweets_redelivered",
        "Messages delivered from the outboxes of earlier generations.",
        ("connection", "sink"),
        (((c["connection"], sink), c["total"]["redelivered"]) for c in connections),
    )
    yield counter(
        "dead_letters",
        "Messages that the output rejected for good.",
        ("connection", "stage"),
        (((c["connection"], "sink"), c["total"]["dead_letters"]) for c in connections),
    )
    yield histogram(
        "delivery_latency_seconds",
        "Time from the stream until the output confirmed a message, or it was set aside.",
        _CONNECTION,
        (((c["connection"],), c["total"]["latency"], c["total"]["latency_ms"] / 1000) for c in connections),
    )
    yield gauge(
        "last_delivery_timestamp_seconds",
        "When a message was last delivered.",
        _CONNECTION,
        each(connections, "last_delivery"),
    )
    for name, what in (("messages", "Messages not yet delivered."), ("bytes", "Their size on disk.")):
        yield gauge(f"outbox_{name}", what, _CONNECTION, each(connections, "outbox", name))
    yield gauge(
        "outbox_oldest_timestamp_seconds",
        "About when the oldest undelivered message came; absent while none waits.",
        _CONNECTION,
        each(connections, "outbox", "oldest"),
    )
    is_ok = status["output"]["state"] in ("ok", "unknown")
    yield from _of_trial(status)
    yield gauge("output_ok", "1 unless the output fails or is behind.", ("sink",), [((sink,), is_ok)])


def _of_trial(status: Json) -> Iterator[Metric]:
    """Yield the metrics of a trial output; without one they have no samples."""
    trial = status.get("trial")
    now = [] if trial is None else [trial]
    yield counter(
        "trial_messages",
        "Posts for the trial output, by what became of them.",
        ("connection", "outcome"),
        (
            ((c["connection"], outcome), count)
            for c in status["connections"]
            for outcome, count in c["total"].get("trial", {}).items()
        ),
    )
    yield gauge(
        "trial_outbox_messages",
        "Posts not yet delivered to the trial output.",
        (),
        (((), one["messages"]) for one in now),
    )
    yield gauge(
        "trial_ok",
        "1 unless the trial output fails or is behind.",
        (),
        (((), one["state"] in ("ok", "unknown")) for one in now),
    )


def _of_rules(status: Json) -> Iterator[Metric]:
    groups, connections = status["groups"], status["connections"]
    rules, rejected = Counter[str](), Counter[str]()
    for group in groups:
        rules[_type(group["group"])] += group["rules"]
        rejected[_type(group["group"])] += group["rejected"]
    waiting = Counter[str]()
    for c in connections:
        waiting[_type_of(c)] += c["uncollected"] if c["state"] == ConnectionState.WAITING_FOR_KEY else 0
    yield gauge("rules", "Valid rules.", ("type",), _by_name(rules))
    yield gauge("rules_rejected", "Rules that cannot be streamed.", ("type",), _by_name(rejected))
    yield gauge("rules_unassigned", "Rules without a key.", ("type",), _by_name(waiting))
    yield gauge(
        "rules_not_collected",
        "Wanted rules that no stream carries now.",
        _CONNECTION,
        each(connections, "uncollected"),
    )
    suspect = sum(group["suspect"] for group in groups)
    yield gauge("groups_suspect", "Groups whose rules vanished unannounced.", (), [((), suspect)])
    yield gauge("rules_stray", "Keys in Redis that name no group.", (), [((), status["strays"])])


def _of_keys(status: Json) -> Iterator[Metric]:
    keys = status["keys"]
    states = Counter(key["state"] for key in keys)
    spare = sum(key["state"] == KeyState.OK and not key["lent"] for key in keys)
    yield gauge("keys", "Keys by state.", ("state",), (((state,), states[state]) for state in KeyState))
    yield gauge("keys_spare", "Keys that are good and not in use.", (), [((), spare)])
    yield gauge(
        "key_state",
        "1 for the state that the key is in.",
        ("key", "state"),
        (((key["key"], state), key["state"] == state) for key in keys for state in KeyState),
    )
    yield gauge(
        "key_budget_left",
        "Connects that the key has left.",
        ("key",),
        (((key["key"],), key["budget_left"]) for key in keys),
    )
    yield gauge(
        "key_not_before_timestamp_seconds",
        "When the key may connect again; absent if it may now.",
        ("key",),
        (((key["key"],), key["not_before"]) for key in keys),
    )


def _of_surroundings(status: Json) -> Iterator[Metric]:
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


def _of_apps(status: Json) -> Iterator[Metric]:
    """Yield the metrics of API v2; without apps they have no samples."""
    apps = status.get("apps", ())
    for period in ("today", "month"):
        for name, member in (("dollars", "dollars"), ("posts", "posts")):
            yield gauge(
                f"app_{name}_{period}",
                f"What X bills to the app: {name}, {'this UTC day' if period == 'today' else 'this month'}.",
                ("key",),
                (((app["key"],), app[period][member]) for app in apps),
            )
    yield gauge(
        "app_cap_used_ratio",
        "Share of a cap of the operator's that is used.",
        ("key", "cap"),
        (((app["key"], cap["cap"]), cap["percent"] / 100) for app in apps for cap in app["caps"]),
    )
    yield gauge(
        "app_rules_waiting",
        "Rules that wait for a filter.",
        ("key",),
        (((app["key"],), app["waiting"]) for app in apps),
    )
    yield gauge(
        "app_filters",
        "Filters in the app by kind: ours, of others, free.",
        ("key", "kind"),
        (
            ((app["key"], kind), app["filters"][member])
            for app in apps
            for kind, member in (("standing", "standing"), ("foreign", "foreign"), ("free", "free"))
        ),
    )


def _of_fills(status: Json) -> Iterator[Metric]:
    """Yield the metrics of gaps filled afterwards; without API v2 they have no samples."""
    fills = status.get("fills", {})
    states = fills.get("states", {})
    yield counter(
        "gap_fills",
        "Gaps that were filled afterwards, or given up, since the ledger began.",
        ("state",),
        (((state,), states[state]) for state in ("done", "given_up") if state in states),
    )
    yield counter(
        "gap_fill_posts",
        "Posts that this delivered.",
        (),
        [((), fills["posts"])] if states else [],
    )
    connections = fills.get("connections", ())
    for name, text in (
        ("open", "Gaps still to be filled."),
        ("dollars_today", "What that cost this UTC day."),
    ):
        yield gauge(
            f"gap_fills_{name}",
            text,
            ("connection",),
            (((one["connection"],), one[name]) for one in connections),
        )


# ---- steps


def _type_of(c: Json) -> str:
    return _type(c["connection"])


def _type(name: str) -> str:
    return name.partition(":")[0]


def _is_wanted(c: Json) -> bool:
    return bool(c["rules"]) and c["state"] != ConnectionState.STOPPED


def _by_name(counts: Mapping[str, int]) -> Iterator[Sample]:
    yield from (((name,), count) for name, count in sorted(counts.items()))


def _by_part(connections: list[dict[str, Any]], member: str) -> Iterator[Sample]:
    for c in connections:
        yield from (((c["connection"], part), value) for part, value in c[member].items())
