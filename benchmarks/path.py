"""Measure a worker's path from a line of the stream to the sink, beside the least that JSON costs.

The floor is orjson.loads and orjson.dumps of the same lines: what a program does that only adds a field.
"""

from __future__ import annotations

import gc
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import orjson

from benchmarks.corpus import corpus
from benchmarks.figures import Effort, Figure, interleaved, ratios
from benchmarks.rules import box_rules, follow_rules, track_rules
from traptor.common.birth import Birth, OutboxSettings, WorkerSettings
from traptor.common.birthframe import birth_frames
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import Rule
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.hearing.newborn import Newborn
from traptor.worker.match.matcher import Matcher
from traptor.worker.outbox.message import Outgoing
from traptor.worker.pipeline import Pipeline
from traptor.worker.stream.body import READ_BYTES
from traptor.worker.tweetpipeline import TweetPipeline
from traptor.worker.tweets.enrich import Enricher
from traptor.worker.tweets.received import read_message

_NOW = 1_793_000_000.0


class NoSink:
    """Accepts everything at once and keeps nothing."""

    def open(self, results: Results) -> None:
        """Do nothing: there is nothing to open."""

    def takes(self, _message: Outgoing) -> bool:
        """Return True: everything is accepted."""
        return True

    def may_deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        """Return True: it drops whatever comes."""
        return True

    def deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        """Drop the messages."""
        return True

    def send(self, _message: Outgoing, _ticket: Ticket) -> bool:
        """Return False: nothing ever comes by way of the outbox."""
        return False

    def last_written(self) -> Sequence[bytes]:
        """Return nothing: it keeps nothing."""
        return ()

    def serve(self) -> None:
        """Do nothing: there is nothing to report."""

    def sync(self) -> None:
        """Do nothing: there is nothing to flush."""

    def stop_waiting(self) -> None:
        """Do nothing: it never waits."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class UnwrittenStats(Stats):
    """Counts like a worker, without the thread that writes to Redis."""

    def start(self) -> None:
        """Do nothing."""


def full_path(effort: Effort) -> list[Figure]:
    """Measure messages, matcher, counters, enrichment and hand-over at the limits of one connection."""
    figures = []
    for kind, rules, at_least in (
        ("track", track_rules(400), 0.6),
        ("follow", follow_rules(5_000), 0.8),
        ("boxes", box_rules(25), 0.8),
    ):
        with tempfile.TemporaryDirectory(prefix="traptor-bench-") as folder:
            pipeline = _pipeline(rules, Path(folder))
            figures += _beside_floor("path", kind, rules, effort, partial(_handle_all, pipeline), at_least)
            pipeline.drain(deadline=0.0)
    return figures


def many_rules(effort: Effort) -> list[Figure]:
    """Measure decoding, matching and enrichment alone with a hundred times as many rules."""
    figures = []
    for kind, rules, at_least in (
        ("track", track_rules(400 // effort.scale), None),
        ("track", track_rules(4_000 // effort.scale), None),
        ("track", track_rules(40_000 // effort.scale), 0.38),
        ("follow", follow_rules(500_000 // effort.scale), 0.7),
    ):
        figures += _beside_floor("many_rules", kind, rules, effort, _match_and_enrich(rules), at_least)
    return figures


def _pipeline(rules: Sequence[Rule], folder: Path) -> TweetPipeline:
    group = rules[0].group
    birth = as_learnt(Birth(f"{group}", 1, group, tuple(rules), settings_in(folder)))
    stats = UnwrittenStats(str(group), birth.rules, blocking_redis_client("redis://127.0.0.1:1", 1.0))
    pipeline = TweetPipeline(birth, Delivery(birth, NoSink()), stats)
    pipeline.open()
    return pipeline


def _match_and_enrich(rules: Sequence[Rule]) -> Callable[[Sequence[bytes]], None]:
    matcher = Matcher(rules)
    enricher = Enricher(rules, "benchmark", 1, "v1.1", rules[0].group)

    def handle(lines: Sequence[bytes]) -> None:
        for line in lines:
            tweet = read_message(line).tweet
            assert tweet is not None
            enricher.enrich(line, tweet.created_at, matcher.match(tweet), False, _NOW)

    return handle


def _beside_floor(
    benchmark: str,
    kind: str,
    rules: Sequence[Rule],
    effort: Effort,
    handle: Callable[[Sequence[bytes]], None],
    at_least: float | None,
) -> list[Figure]:
    name = f"{len(rules):,} {kind}"
    lines = corpus(rules, effort.tweets)
    gc.freeze()  # as a worker does after its fork
    spent = interleaved({"floor": lambda: floor_of(lines), "ours": lambda: handle(lines)}, effort.rounds)
    gc.unfreeze()
    rate = [len(lines) / seconds for seconds in spent["ours"]]
    floor_rate = [len(lines) / seconds for seconds in spent["floor"]]
    ratio = ratios(spent["floor"], spent["ours"])
    size = sum(map(len, lines)) / len(lines)
    return [
        Figure.of(benchmark, f"{name}: share of the floor", "", ratio, at_least=at_least),
        Figure.of(benchmark, f"{name}: tweets of {size:,.0f} bytes", "1/s", rate),
        Figure.of(benchmark, f"{name}: floor (orjson loads + dumps)", "1/s", floor_rate),
    ]


def floor_of(lines: Sequence[bytes]) -> None:
    """Decode and encode each line: the least that a program does."""
    for line in lines:
        orjson.dumps(orjson.loads(line))


def _handle_all(pipeline: Pipeline, lines: Sequence[bytes]) -> None:
    for read in reads_of(lines):
        pipeline.handle(read)


def reads_of(lines: Iterable[bytes], most_bytes: int = READ_BYTES) -> Iterator[list[bytes]]:
    """Yield lines as reads of so many bytes bring them: full ones, as while the worker is behind."""
    read: list[bytes] = []
    size = 0
    for line in lines:
        if read and size + len(line) > most_bytes:
            yield read
            read, size = [], 0
        read.append(line)
        size += len(line)
    yield read


def as_learnt(birth: Birth) -> Birth:
    """Return a birth as its worker learns it: rules that came in frames lie beside each other in memory."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        telling = threading.Thread(target=ours.sendall, args=(birth_frames(birth),))
        telling.start()
        learnt = Newborn(theirs).learn()
        telling.join()
    return learnt


def settings_in(folder: Path) -> WorkerSettings:
    """Return the settings of a worker whose outbox is in `folder`."""
    return WorkerSettings(
        api="v1.1",
        output="jsonl:unused",
        other_messages="drop",
        stream_url="http://127.0.0.1:1",
        connect_timeout_s=1.0,
        stall_timeout_s=90.0,
        redis_url="redis://127.0.0.1:1",
        redis_timeout_s=1.0,
        stats=True,
        extras=True,
        log_dir=None,
        log_level="INFO",
        log_format="text",
        outbox=OutboxSettings(folder, max_bytes=1 << 30, synced=False, confirm_timeout_s=60.0),
    )
