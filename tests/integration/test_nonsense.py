"""Nonsense from all sides at once, with real processes: what is good streams on, and nothing is told."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from support.collection import Collection, Key
from support.rawserver import RawServer
from support.waiting import wait_for

Make = Callable[..., Collection]

OK = b"HTTP/1.1 200 OK\r\n\r\n"
GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
TWEET = b'{"id_str":"%d","text":"storm \xc3\xa4","user":{"id_str":"7"}}\r\n'
LINES = [
    b'{"limit":{"track":1%b}}' % (b"0" * 30),
    b'{"id_str":"1","text":"storm","x":NaN}',
    b'{"id_str":"1","text":"storm","x":"\xff"}',
    b'{"id_str":"1","text":"storm","user":%b}' % (b"[" * 50_000),
    b'{"id_str":"2","text":"storm \\ud83d","traptor":1,"x":1e999}',
    b'{"warning":{"percent_full":1e999,"code":%b}}' % (b"9" * 400),
    b'{"disconnect":{"code":{},"reason":"\\udc00"}}',
    b"\0\xff\r\n\r\r\n[]",
    b'{"id_str":3,"text":4,"user":5,"entities":6,"coordinates":{"coordinates":[1e999,0]}}',
]
BODY = b"\r\n".join(LINES) + b"\r\n"
DATE = b"Retry-After: Wed, 99999999999999999999 Nov 2026 22:00:00 GMT\r\n"
ANSWERS = [
    OK + BODY,
    GZIP + gzip.compress(BODY)[:-20],
    GZIP + b"\x1f\x8b" + BODY,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + BODY,
    b"HTTP/1.1 503 x\r\n" + DATE + b"\r\n",
    b"HTTP/1.1 503 x\r\nRetry-After: nan\r\nDate: \xff\r\n\r\n\xff",
    b"HTTP/1.1 503 x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    b"\x16\x03\x01\x02\x00",
    b"",
]


PREFIXES = [b"traptor-track:0:", b"traptor-location:0:", b"traptor-track:" + b"9" * 5_000 + b":"]


class NastyServer:
    """Answers with each of ANSWERS once, at the end in a way that lasts: a tweet every 20 ms."""

    def __init__(self) -> None:
        self.answers = iter(ANSWERS)
        self.tweets = 0
        self.ended = threading.Event()
        self.server = RawServer(self._answer)

    def _answer(self, request: bytes) -> Iterable[bytes]:
        answer = next(self.answers, None)
        if answer is not None:
            return [answer[:30], answer[30:] + request]
        return self._stream()

    def _stream(self) -> Iterator[bytes]:
        yield OK
        while not self.ended.wait(0.02):
            self.tweets += 1
            yield BODY + TWEET % (1_000 + self.tweets)

    def close(self) -> None:
        self.ended.set()
        self.server.close()


@pytest.fixture
def nasty() -> Iterator[NastyServer]:
    server = NastyServer()
    yield server
    server.close()


def fill_with_nonsense(collection: Collection, rng: random.Random) -> None:
    """Keys that are meant for rules, of every type and content."""
    with collection.redis.pipeline(transaction=False) as pipeline:
        for number in range(300):
            key = rng.choice(PREFIXES) + rng.randbytes(8) + b"%d" % number
            match number % 5:
                case 0:
                    pipeline.set(key, rng.randbytes(9))
                case 1:
                    pipeline.rpush(key, rng.randbytes(9))
                case 2:
                    pipeline.zadd(key, {rng.randbytes(9): 1.0})
                case 3:
                    pipeline.hset(key, mapping={b"value": b"\xff" + rng.randbytes(9), rng.randbytes(3): b"x"})
                case 4:
                    pipeline.hset(key, mapping={b"value": b"7," * 20_000 + b"," * (number * 1_000)})
        pipeline.hset("traptor-track:0:large", mapping={"value": "hail", "description": "x" * 2_000_000})
        pipeline.hset("traptor-track:0:\0\n", mapping={"value": "storm\0"})
        pipeline.execute()


@pytest.mark.long
def test_nonsense_from_all_sides_stops_nothing_and_no_secret_is_told(
    make_collection: Make, nasty: NastyServer
) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {
        "twitter": {
            "stream_url": nasty.server.url,
            "http_backoff": "20ms",
            "http_backoff_max": "50ms",
            "network_backoff": "20ms",
            "network_backoff_max": "50ms",
        },
        "logging": {"level": "DEBUG"},
    }
    collection.add_rules("track:0", ["storm"])
    rng = random.Random(5)
    fill_with_nonsense(collection, rng)
    collection.start()
    wait_for(lambda: nasty.tweets > 20, "all nasty answers were survived")
    pid = collection.wait_streaming("track:0")["track:0"]
    for _ in range(3_000):
        start = rng.choice([b"follow:", b"locations:", b""])
        collection.redis.publish("traptor-notify", start + rng.randbytes(6))
    collection.redis.publish("traptor-notify", b"track:" + b"0" * 1_000_000)
    before = nasty.tweets
    wait_for(lambda: nasty.tweets > before + 20, "the stream goes on")
    wait_for(lambda: ids(collection) and max(ids(collection)) > 1_000 + before, "what is good is delivered")
    assert collection.streaming() == {"track:0": pid}
    assert collection.connection("track:0")["restarts"] == 0
    assert collection.stop() == 0
    last = max(ids(collection))
    assert set(range(1_001, last + 1)) <= ids(collection)
    for line in (collection.output / "track:0.jsonl").read_bytes().splitlines():
        json.loads(line.decode(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    logs = "".join(path.read_text() for path in collection.logs.iterdir())
    assert "Traceback" not in logs
    assert "SECRET" not in logs + (collection.folder / "stderr.txt").read_text()
    assert max(map(len, logs.splitlines())) < 3_000


def ids(collection: Collection) -> set[int]:
    return {int(tweet["id_str"]) for tweet in collection.tweets("track:0")}
