"""Metrics of workers and streams, and of what the streams bring. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from traptor.supervisor.metrics.family import CONNECTION, Family, Json, Sample, counter, each, gauge, type_of
from traptor.supervisor.workers.leftovers import other_connection
from traptor.supervisor.workers.states import ConnectionState


def of_workers(status: Json) -> Iterator[Family]:
    """Yield how each connection's worker is."""
    connections = status["connections"]
    states = Counter((type_of(c["connection"]), c["state"]) for c in connections)
    types = {type_of(c["connection"]) for c in connections}
    yield gauge(
        "workers",
        "Connections by type of rules and state.",
        ("type", "state"),
        (((kind, state), states[kind, state]) for kind in sorted(types) for state in ConnectionState),
    )
    yield gauge(
        "worker_up",
        "1 while a worker process serves the connection.",
        CONNECTION,
        (((c["connection"],), c["serving"] is not None) for c in connections),
    )
    yield gauge(
        "worker_start_timestamp_seconds",
        "When the worker process was started.",
        CONNECTION,
        each(connections, "serving", "born_at"),
    )
    yield gauge(
        "worker_memory_bytes",
        "Anonymous memory of the worker process.",
        CONNECTION,
        each(connections, "serving", "vitals", "anonymous_bytes"),
    )
    yield counter(
        "worker_restarts",
        "Workers replaced after an unplanned end, by reason.",
        ("connection", "reason"),
        _by_part(connections, "restart_reasons"),
    )


def of_streams(status: Json) -> Iterator[Family]:
    """Yield how each connection's stream is."""
    connections = status["connections"]
    yield gauge(
        "stream_connected", "1 while the connection streams.", CONNECTION, each(connections, "collecting")
    )
    yield gauge(
        "stream_wanted",
        "1 while the connection should stream: it has rules and is not stopped.",
        CONNECTION,
        (((c["connection"],), _is_wanted(c)) for c in connections),
    )
    collecting = {c["connection"] for c in connections if c["collecting"]}
    yield gauge(
        "stream_covered",
        "1 while the other connection of its app brings the same posts.",
        CONNECTION,
        (
            ((c["connection"],), bool(c.get("covered")) and other_connection(c["connection"]) in collecting)
            for c in connections
        ),
    )
    yield gauge(
        "stream_last_message_timestamp_seconds",
        "When the last byte came over the stream, keep-alives included.",
        CONNECTION,
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
        CONNECTION,
        each(connections, "streaming_seconds"),
    )
    yield counter(
        "gap_seconds",
        "Time in which the connection should have streamed and did not, by cause.",
        ("connection", "cause"),
        _by_part(connections, "gap_seconds"),
    )


def of_tweets(status: Json) -> Iterator[Family]:
    """Yield what came over each stream."""
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
        yield counter(name, what, CONNECTION, each(connections, "total", member))
    yield counter(
        "other_messages",
        "Messages other than tweets, by kind.",
        ("connection", "kind"),
        (((c["connection"], kind), n) for c in connections for kind, n in c["total"]["other"].items()),
    )


def _is_wanted(c: Json) -> bool:
    return bool(c["rules"]) and c["state"] != ConnectionState.STOPPED


def _by_part(connections: list[dict[str, Any]], member: str) -> Iterator[Sample]:
    for c in connections:
        yield from (((c["connection"], part), value) for part, value in c[member].items())
