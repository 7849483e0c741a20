"""Tweets a second of one worker's main thread: from a socket through tweepy and the pipeline to a file.

A server in a process of its own sends ready-made chunks of the stream as fast as they are read. The floor
reads the same stream and appends its lines to a file, and does nothing with them.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from benchmarks.corpus import corpus
from benchmarks.figures import Effort, Figure
from benchmarks.path import UnwrittenStats, settings_in
from benchmarks.rules import track_rules
from traptor.common.birth import Birth, WorkerSettings
from traptor.common.messages import Connect
from traptor.common.rules import Rule
from traptor.worker.delivery import Delivery
from traptor.worker.linefile import LineFile
from traptor.worker.pipeline import Pipeline
from traptor.worker.sink import line_sink
from traptor.worker.stream import V1Stream

_CHUNK_BYTES = 16_384
_TIMES = 10  # the corpus is sent so often in one round
_AT_LEAST = 15_000
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_KEY = Connect(
    key_id="benchmark",
    key_name="benchmark",
    consumer_key="none",
    consumer_secret="none",
    access_token="none",
    access_token_secret="none",
)


def socket_to_sink(effort: Effort) -> list[Figure]:
    """400 track rules and the jsonl sink, in turns with the floor."""
    rules = track_rules(400)
    lines = corpus(rules, effort.tweets)
    ours, floor = [], []
    with tempfile.TemporaryDirectory(prefix="traptor-bench-") as folder:
        for number in range(effort.rounds + 1):
            with _served(lines) as url:
                floor.append(_floor_rate(url, rules, Path(folder) / f"floor-{number}"))
            with _served(lines) as url:
                ours.append(_our_rate(url, rules, Path(folder) / f"ours-{number}"))
            for output in Path(folder).iterdir():
                shutil.rmtree(output)  # of some hundred MB
    return [
        Figure.of("socket_to_sink", "400 track, jsonl file", "tweets/s", ours[1:], at_least=_AT_LEAST),
        Figure.of("socket_to_sink", "floor: tweepy, lines appended as they are", "tweets/s", floor[1:]),
    ]


def _our_rate(url: str, rules: Sequence[Rule], folder: Path) -> float:
    settings = replace(settings_in(folder / "state"), stream_url=url)
    group = rules[0].group
    birth = Birth(str(group), 1, group, tuple(rules), settings)
    delivery = Delivery(birth, line_sink(f"jsonl:{folder}", "drop", str(group)))
    pipeline = Pipeline(birth, delivery, UnwrittenStats(str(group), rules, settings.redis_url, 1.0))
    pipeline.open(lambda: 0.0)
    rate = _rate(settings, rules, pipeline.handle)
    pipeline.drain(time.monotonic())
    return rate


def _floor_rate(url: str, rules: Sequence[Rule], folder: Path) -> float:
    file = LineFile(folder / "lines")
    file.open()
    rate = _rate(replace(settings_in(folder), stream_url=url), rules, lambda line: _append(file, line))
    file.close()
    return rate


def _append(file: LineFile, line: bytes) -> None:
    file.write(line + b"\n")


def _rate(settings: WorkerSettings, rules: Sequence[Rule], handle: Callable[[bytes], None]) -> float:
    """Tweets for each second of CPU that this thread spends."""
    count = 0

    def take(line: bytes) -> None:
        nonlocal count
        count += 1
        handle(line)

    stream = V1Stream(_KEY, settings, on_open=lambda: None, on_line=take)
    began = time.thread_time()
    stream.run(rules)
    return count / (time.thread_time() - began)


@contextmanager
def _served(lines: Sequence[bytes]) -> Iterator[str]:
    """The stream's address; its one connection gets everything and is closed."""
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
