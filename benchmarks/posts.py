"""Measure a worker's path from a line of an API v2 stream to the sink, beside the least that JSON costs.

An app has 852 filters for 5,500 follow and 352 track rules, as X's evaluator in the sandbox reads them: the
posts of track rules name filters of one value, those of follow rules packed ones. Packed track rules, which
an app has when its filters are full, are measured apart.
"""

from __future__ import annotations

import gc
import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from benchmarks.figures import Effort, Figure, ratios
from benchmarks.path import NoSink, UnwrittenStats, as_learnt, floor_of, reads_of, settings_in
from benchmarks.rules import follow_rules, track_rules
from traptor.common.birth import Birth
from traptor.common.filters import Meaning
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import Rule
from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.values import FilterType, parse_values
from traptor.sandbox.v2.fields import Fields, parse_fields
from traptor.sandbox.v2.language.index import FilterIndex
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.sandbox.v2.posts import read_post
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Demand
from traptor.supervisor.filters.language.translate import translate
from traptor.supervisor.xapi.expansions import stream_query
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.stream.body import READ_BYTES

_NOW = 1_793_000_000.0  # unix time; the same ids in every run
_LENGTH = 1_024
_FIRST_ID = 1_800_000_000_000_000_000
_FIRST_POST = 1_900_000_000_000_000_000


@dataclass(frozen=True)
class Standing:
    """The filters of an app at X for these rules."""

    rules: tuple[Rule, ...]
    meanings: tuple[Meaning, ...]
    index: FilterIndex


def posts(effort: Effort) -> list[Figure]:
    """Measure reading, attribution, counters, the bill, enrichment and hand-over."""
    follow, track = follow_rules(5_500 // effort.scale), track_rules(352 // effort.scale)
    both = _standing([*follow, *track], filters=1_000)
    full = _standing(track_rules(3_520 // effort.scale), filters=500 // effort.scale)
    figures = []
    for name, standing, rules, expand, payload, at_least, read_bytes in (
        ("single", both, track, "none", "native", 0.6, READ_BYTES),
        ("single, one post a read", both, track, "none", "native", None, 1),
        ("packed follow", both, follow, "none", "native", 0.6, READ_BYTES),
        ("packed track", full, full.rules, "none", "native", None, READ_BYTES),
        ("single, expand = all", both, track, "all", "native", None, READ_BYTES),
        ("single, payload = v1.1", both, track, "none", "v1.1", 0.3, READ_BYTES),
        ("single, payload = v1.1, expand = all", both, track, "all", "v1.1", 0.3, READ_BYTES),
    ):
        lines = list(itertools.islice(_lines(standing, rules, expand), effort.tweets))
        case = f"{len(standing.index):,} filters, {name}"
        figures += _beside_floor(case, standing, payload, lines, effort, at_least, read_bytes)
    return figures


def _standing(rules: Sequence[Rule], filters: int) -> Standing:
    demands = []
    for group in sorted({rule.group for rule in rules}):
        values = dict.fromkeys(value for rule in rules if rule.group == group for value in rule.values)
        demands.append(Demand(group, {translate(group.type, value).clause: (value,) for value in values}))
    clauses = {demand.group: demand.clauses for demand in demands}
    index, meanings = FilterIndex(), []
    for number, one in enumerate(compose(demands, Allowance(filters, _LENGTH)).filters, _FIRST_ID):
        index.add(str(number), parse_rule(one.text))
        stands_for = tuple(value for clause in one.clauses for value in clauses[one.group][clause])
        meanings.append(Meaning(str(number), str(one.group), stands_for, one.is_packed))
    return Standing(tuple(rules), tuple(meanings), index)


def _lines(standing: Standing, rules: Sequence[Rule], expand: str) -> Iterator[bytes]:
    """Yield lines of posts that were made for some of the rules and that filters find, as X sends them."""
    maker, fields = TweetMaker(1), _fields(expand)
    some = Random(1).sample(list(rules), min(len(rules), 2_000))
    values = (parse_values(FilterType(rule.group.type.value), ",".join(rule.values)) for rule in some)
    maker.set_values(list(itertools.chain.from_iterable(values)))
    while True:
        post = read_post(maker.make(_NOW, noise=0.0))
        if post is not None and (found := standing.index.matching(post.facts)):
            yield post.line(fields, [(one, "traptor/default/track:0/1") for one in found]).json


def _fields(expand: str) -> Fields:
    return parse_fields(stream_query(expand))


def _beside_floor(
    name: str,
    standing: Standing,
    payload: str,
    lines: Sequence[bytes],
    effort: Effort,
    at_least: float | None,
    read_bytes: int,
) -> list[Figure]:
    rounds = [
        list(reads_of(_with_other_ids(lines, number), read_bytes)) for number in range(effort.rounds + 1)
    ]
    with tempfile.TemporaryDirectory(prefix="traptor-bench-") as folder:
        pipeline = _pipeline(standing, payload, Path(folder))
        gc.freeze()  # as a worker does after its fork
        floor, ours = _in_turns(pipeline, rounds)
        gc.unfreeze()
        pipeline.drain(deadline=0.0)
    size = sum(map(len, lines)) / len(lines)
    counters = pipeline.counters(log_lost=0)
    share = [100 * counters.unattributed / counters.received]
    rate = [len(lines) / seconds for seconds in ours]
    return [
        Figure.of(
            "posts",
            f"{name}: share of the floor",
            "",
            ratios(floor, ours),
            at_least=at_least,
        ),
        Figure.of("posts", f"{name}: posts of {size:,.0f} bytes", "1/s", rate),
        Figure.of("posts", f"{name}: posts without a rule", "%", share),
    ]


def _with_other_ids(lines: Sequence[bytes], number: int) -> list[bytes]:
    """Return the lines as new posts: one that came before is only marked."""
    first = (b"%d" % (_FIRST_POST + number * len(lines) + at) for at in range(len(lines)))
    return [line.replace(_id_of(line), new) for line, new in zip(lines, first, strict=True)]


def _id_of(line: bytes) -> bytes:
    """Return the id of a line's own post."""
    return str(json.loads(line)["data"]["id"]).encode()


def _pipeline(standing: Standing, payload: str, folder: Path) -> PostPipeline:
    settings = replace(settings_in(folder), api="v2", payload=payload)
    birth = as_learnt(Birth("v2:benchmark", 1, None, standing.rules, settings, filters=standing.meanings))
    client = blocking_redis_client("redis://127.0.0.1:1", 1.0)
    stats = UnwrittenStats("v2:benchmark", (), client)
    pipeline = PostPipeline(birth, Delivery(birth, NoSink()), stats)
    pipeline.open()
    return pipeline


def _in_turns(
    pipeline: PostPipeline, rounds: Sequence[Sequence[Sequence[bytes]]]
) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of the floor and of ours in each round but the first, which warms caches.

    They take turns with every 64 KiB, and who begins changes: what else runs on the machine disturbs both.
    Each gets copies of the lines that were just made, as the stream makes lines from what it received.
    Otherwise who has the same lines in all rounds, or comes second, finds them nearer than the other does.
    """
    floor, ours = [0.0] * len(rounds), [0.0] * len(rounds)

    def take_floor(number: int, reads: Sequence[Sequence[bytes]]) -> None:
        began = time.thread_time()
        for read in reads:
            floor_of(read)
        floor[number] += time.thread_time() - began

    def take_ours(number: int, reads: Sequence[Sequence[bytes]]) -> None:
        began = time.thread_time()
        for read in reads:
            pipeline.handle(read)
        ours[number] += time.thread_time() - began

    turns = [take_floor, take_ours]
    for number, reads in enumerate(rounds):
        for portion in _portions(reads):
            for turn in turns:
                turn(number, [b"\n".join(read).split(b"\n") for read in portion])
            turns.reverse()
    return floor[1:], ours[1:]


def _portions(reads: Sequence[Sequence[bytes]]) -> Iterator[list[Sequence[bytes]]]:
    """Yield reads that are as large together as a full one: looking at the clock costs nothing then."""
    portion: list[Sequence[bytes]] = []
    size = 0
    for read in reads:
        portion.append(read)
        size += sum(map(len, read))
        if size >= READ_BYTES // 2:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
