"""Metrics of the output, and of what waits for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from traptor.supervisor.metrics.family import CONNECTION, Family, Json, counter, each, gauge, histogram


def of_delivery(status: Json) -> Iterator[Family]:
    """Yield what became of each connection's messages."""
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
        CONNECTION,
        (((c["connection"],), c["total"]["latency"], c["total"]["latency_ms"] / 1000) for c in connections),
    )
    yield gauge(
        "last_delivery_timestamp_seconds",
        "When a message was last delivered.",
        CONNECTION,
        each(connections, "last_delivery"),
    )
    for name, what in (("messages", "Messages not yet delivered."), ("bytes", "Their size on disk.")):
        yield gauge(f"outbox_{name}", what, CONNECTION, each(connections, "outbox", name))
    yield gauge(
        "outbox_oldest_timestamp_seconds",
        "About when the oldest undelivered message came; absent while none waits.",
        CONNECTION,
        each(connections, "outbox", "oldest"),
    )
    for name, what in (("messages", "Messages in outboxes that no worker has."), ("bytes", "Their size.")):
        yield gauge(f"outbox_ownerless_{name}", what, CONNECTION, each(status["ownerless"], name))
    is_ok = status["output"]["state"] in ("ok", "unknown")
    yield gauge("output_ok", "1 unless the output fails or is behind.", ("sink",), [((sink,), is_ok)])


def of_trial(status: Json) -> Iterator[Family]:
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
