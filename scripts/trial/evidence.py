"""Read the judge's evidence: the sandbox's record, the gaps in supervisor.log, the lines of the output."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from traptor.sandbox.client import SandboxClient
from trial.clocks import unix_s, wall_to_mono_s
from trial.judge import Evidence, MadeTweet, OpenedStream, ReportedGap
from trial.rules import Value
from trial.slots import Generation

Json = dict[str, Any]

_LOG_STEP_S = 0.001  # the log's times are truncated to milliseconds
_CLAIM_SLACK_S = 0.25  # a busy sandbox records a stream with many values only after its 200 is read


class LoggedOpening(NamedTuple):
    """A `stream connected` of supervisor.log: whose stream it is, and when it was logged (monotonic)."""

    generation: Generation
    at: float


class _Post(msgspec.Struct):
    """A post of API v2."""

    id: str = ""


class _Line(msgspec.Struct):
    """The relevant part of a line of the output; other messages have no id."""

    id_str: str = ""
    data: _Post | None = None

    @property
    def tweet_id(self) -> str:
        return self.data.id if self.data is not None else self.id_str


_decode_line = msgspec.json.Decoder(_Line).decode


def gather(
    sandbox: SandboxClient,
    log_events: Sequence[Json],
    output: Path,
    rules: Sequence[tuple[float, frozenset[Value]]],
) -> Evidence:
    """Return the evidence of a finished collection; `rules` as they were put into Redis."""
    wall_to_mono = wall_to_mono_s()
    return Evidence(
        tweets=[made_tweet(record) for record in sandbox.tweets() if record["for"]],
        streams=opened_streams(sandbox.connections(), log_events, wall_to_mono),
        gaps=reported_gaps(log_events, wall_to_mono),
        written=written_tweets(output),
        rules=rules,
    )


def made_tweet(record: Json) -> MadeTweet:
    """Return a tweet of the sandbox's record."""
    values = frozenset(zip(record["types"], record["for"], strict=True))
    sent = dict(zip(record["connections"], record["written_mono"], strict=True))
    return MadeTweet(record["id"], values, record["made_mono"], sent)


def opened_streams(
    records: Iterable[Json], log_events: Iterable[Json], wall_to_mono: float
) -> list[OpenedStream]:
    """Return the sandbox's connections, each with the name under which the supervisor logged its opening."""
    streams = sorted(records, key=lambda record: float(record["opened_mono"]))
    openings = logged_openings(streams, log_events, wall_to_mono)
    return [_opened_stream(record, openings.get(record["id"])) for record in streams]


def logged_openings(
    records: Iterable[Json], log_events: Iterable[Json], wall_to_mono: float
) -> dict[int, LoggedOpening]:
    """Return what the supervisor logged of the openings of the sandbox's connections, by their ids."""
    streams = sorted(records, key=lambda record: float(record["opened_mono"]))
    found: dict[int, LoggedOpening] = {}
    for event in log_events:
        if event["message"] == "stream connected":
            logged_at = unix_s(event["time"]) + wall_to_mono + _LOG_STEP_S
            # A key's streams follow each other: the last one opened before is meant.
            claimed = [
                record
                for record in streams
                if record["account"] == event["key"]
                and record["id"] not in found
                and record["opened_mono"] <= logged_at + _CLAIM_SLACK_S
            ]
            if claimed:
                found[claimed[-1]["id"]] = LoggedOpening((event["connection"], event["gen"]), logged_at)
    return found


def generations(
    records: Iterable[Json], log_events: Iterable[Json], wall_to_mono: float
) -> dict[int, Generation]:
    """Return which generation opened which of the sandbox's connections, as far as it was logged."""
    openings = logged_openings(records, log_events, wall_to_mono)
    return {number: opening.generation for number, opening in openings.items()}


def _opened_stream(record: Json, opening: LoggedOpening | None) -> OpenedStream:
    closed_at = record["closed_mono"]
    return OpenedStream(
        connection=opening.generation[0] if opening else None,
        values=frozenset((kind, text) for kind, texts in record["values"].items() for text in texts),
        opened_at=record["opened_mono"],
        closed_at=math.inf if closed_at is None else closed_at,
        id=record["id"],
        logged_at=opening.at if opening else math.inf,
    )


def reported_gaps(log_events: Iterable[Json], wall_to_mono: float) -> list[ReportedGap]:
    """Return the gaps that the supervisor logged."""
    return [
        ReportedGap(
            connection=event["connection"],
            cause=event["cause"],
            since=unix_s(event["since"]) + wall_to_mono,
            until=unix_s(event["until"]) + wall_to_mono + _LOG_STEP_S,
            seconds=event["seconds"],
        )
        for event in log_events
        if event["message"] == "gap"
    ]


def written_tweets(output: Path) -> dict[str, Counter[str]]:
    """Return, by connection, how often each tweet stands in its file."""
    return {path.name.removesuffix(".jsonl"): _tweet_ids(path) for path in sorted(output.glob("*.jsonl"))}


def _tweet_ids(path: Path) -> Counter[str]:
    with path.open("rb") as lines:
        return Counter(line.tweet_id for line in map(_decode_line, lines) if line.tweet_id)
