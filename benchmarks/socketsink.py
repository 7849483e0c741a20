"""Measure tweets per CPU second of a worker's process, from a socket to a file or to Kafka.

All its threads count, including those of librdkafka, until everything is delivered; with the outbox and
without. A server in a separate process sends ready-made chunks of the stream as fast as they are read. The
floor reads the same stream and only appends its lines to a file.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from kafka_parts.broker import KafkaProcess

from benchmarks.broker import kafka_broker, kafka_settings
from benchmarks.corpus import corpus
from benchmarks.figures import Effort, Figure
from benchmarks.path import UnwrittenStats, settings_in
from benchmarks.rules import track_rules
from benchmarks.unkept import Unkept
from traptor.common.birth import Birth, WorkerSettings
from traptor.common.messages import Connect
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import Rule
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.sink import Sink
from traptor.worker.sinks.linefile import LineFile
from traptor.worker.sinks.outputs import sink_of
from traptor.worker.stream.v1 import V1Stream
from traptor.worker.tweetpipeline import TweetPipeline

_CHUNK_BYTES = 16_384
_TIMES = 10  # the corpus is sent this often in one round
_AT_LEAST = 15_000
_LEAST_SHARE = 0.75
_DRAIN_S = 60.0
_FLOOR = "floor: tweepy, lines appended as they are"
_FILE = "400 track, jsonl file"
_FILE_KEPT = "400 track, jsonl file, all through the outbox"
_KAFKA = "400 track, Kafka, through the outbox"
_KAFKA_UNKEPT = "400 track, Kafka, without the outbox"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_KEY = Connect(
    key_id="benchmark",
    key_name="benchmark",
    consumer_key="none",
    consumer_secret="none",
    access_token="none",
    access_token_secret="none",
)


@dataclass(frozen=True)
class _Way:
    """One row of the table: where the tweets go, and how."""

    settings: WorkerSettings
    deliver: Callable[[Birth, Sink], Delivery | Unkept] = Delivery


def socket_to_sink(effort: Effort) -> list[Figure]:
    """Measure 400 track rules with each output, in turns with the floor."""
    rules = track_rules(400)
    lines = corpus(rules, effort.tweets)
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="traptor-bench-") as name, kafka_broker(Path(name)) as broker:
        folder = Path(name) / "output"
        ways = _ways(folder, broker)
        for number in range(1, effort.rounds + 2):
            with _served(lines) as url:
                rates.setdefault(_FLOOR, []).append(_floor_rate(url, rules, folder))
            for way_name, way in ways.items():
                with _served(lines) as url:
                    rates.setdefault(way_name, []).append(_our_rate(way, url, rules, number))
            shutil.rmtree(folder)  # of some hundred MB
    return _figures({name: rate[1:] for name, rate in rates.items()})


def _figures(rates: dict[str, list[float]]) -> list[Figure]:
    figures = [
        Figure.of("socket_to_sink", name, "tweets/s", rate, at_least=None if name == _FLOOR else _AT_LEAST)
        for name, rate in rates.items()
    ]
    for name, without in ((_FILE_KEPT, _FILE), (_KAFKA, _KAFKA_UNKEPT)):
        if name in rates:
            shares = [ours / theirs for ours, theirs in zip(rates[name], rates[without], strict=True)]
            title = f"{name}: share of the rate without it"
            figures.append(Figure.of("socket_to_sink", title, "", shares, at_least=_LEAST_SHARE))
    return figures


def _ways(folder: Path, broker: KafkaProcess | None) -> dict[str, _Way]:
    """Return what is measured."""
    base = settings_in(folder)
    file = replace(base, output=f"jsonl:{folder}")
    ways = {_FILE: _Way(file), _FILE_KEPT: _Way(file, _through_the_outbox)}
    if broker is not None:
        kafka = replace(base, output="kafka", kafka=kafka_settings(broker, folder))
        ways |= {_KAFKA: _Way(kafka), _KAFKA_UNKEPT: _Way(kafka, Unkept)}
    return ways


def _through_the_outbox(birth: Birth, sink: Sink) -> Delivery:
    """Return a delivery as for an output with outages: no line is delivered at once."""
    sink.may_deliver_at_once = lambda _messages: False  # type: ignore[method-assign]
    return Delivery(birth, sink)


def _our_rate(way: _Way, url: str, rules: Sequence[Rule], generation: int) -> float:
    settings, group = replace(way.settings, stream_url=url), rules[0].group
    birth = Birth(str(group), generation, group, tuple(rules), settings)
    stats = UnwrittenStats(
        birth.connection, birth.rules, blocking_redis_client(birth.settings.redis_url, 1.0)
    )
    delivery = way.deliver(birth, sink_of(birth))
    pipeline = TweetPipeline(birth, delivery, stats)  # type: ignore[arg-type]
    pipeline.open()
    rate = _rate(settings, rules, pipeline.handle, lambda: pipeline.drain(time.monotonic() + _DRAIN_S))
    assert delivery.backlog == 0, "something is not delivered"
    return rate


def _floor_rate(url: str, rules: Sequence[Rule], folder: Path) -> float:
    folder.mkdir(exist_ok=True)
    file = LineFile(folder / "lines")
    file.open()
    return _rate(
        replace(settings_in(folder), stream_url=url), rules, lambda lines: _append(file, lines), file.close
    )


def _append(file: LineFile, lines: Sequence[bytes]) -> None:
    for line in lines:
        file.write(line + b"\n")


def _rate(
    settings: WorkerSettings,
    rules: Sequence[Rule],
    handle: Callable[[Sequence[bytes]], None],
    finish: Callable[[], object],
) -> float:
    """Return tweets per CPU second of this process, until what it handled is delivered."""
    count = 0

    def take(lines: Sequence[bytes]) -> None:
        nonlocal count
        count += len(lines)
        handle(lines)

    stream = V1Stream(_KEY, settings, on_open=lambda: None, on_lines=take)
    began = time.process_time()
    stream.run(rules)
    finish()
    return count / (time.process_time() - began)


@contextmanager
def _served(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the stream's address; its one connection gets everything and is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = get_context("fork").Process(target=_serve, args=(listening, lines), daemon=True)
        server.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.join(10)
            if server.is_alive():
                server.kill()
                server.join()


def _serve(listening: socket.socket, lines: Sequence[bytes]) -> None:
    text = b"\r\n".join(lines) + b"\r\n"
    pieces = [text[start : start + _CHUNK_BYTES] for start in range(0, len(text), _CHUNK_BYTES)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    connection, _ = listening.accept()
    with connection:
        request = b""
        while b"stall_warnings=true" not in request:
            request += connection.recv(65_536)
        connection.sendall(_HEAD)
        for _ in range(_TIMES):
            connection.sendall(body)
        connection.sendall(b"0\r\n\r\n")
