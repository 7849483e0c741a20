"""Whatever stands in Redis or comes over the channel: a rule, a reason why not, or a count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ResponseError
from support.fuzzing import examples
from support.planted import SECRET

from traptor.common.redis.raw import unpacked
from traptor.common.rules.normalise import MAX_RULE_BYTES
from traptor.common.rules.rule import MAX_ID_CHARS, GroupId, Limits, Rule, RuleType
from traptor.supervisor.rules.hints import HintListener
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.worker.match.matcher import Matcher
from traptor.worker.stream.v1 import filter_form
from traptor.worker.tweets.enrich import Enricher

IDS = st.one_of(
    st.sampled_from(["0", "-1", "00", "a_b-c", "9" * 100, "9" * 5_000, "x" * 10_000, "", "a b", "\u0663"]),
    st.text(max_size=5),
)
GROUPS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["track", "follow", "locations", "location", "Track", "TRACK ", "", "track\0", "users"]),
    st.sampled_from([":", "::", "", ": ", "\n"]),
    IDS,
)
KEYS = st.one_of(
    st.builds("traptor-{}:{}".format, GROUPS, st.text(max_size=8)).map(str.encode),
    st.builds(b"traptor-%b:%b".__mod__, st.tuples(GROUPS.map(str.encode), st.binary(max_size=8))),
    st.sampled_from([b"traptor-track:0:" + b"k" * 10_000, b"traptor-", b"traptor-track:0"]),
    st.binary(max_size=20),
)
TERMS = st.one_of(
    st.text(max_size=10),
    st.sampled_from(["", " ", "#", "a.b", "1e5", "-180", "\uff19", "\0", "\u202e", "9" * 30, "é" * 40, "🇩🇪"]),
    st.floats().map(str),
    st.integers().map(str),
)
VALUES = st.one_of(
    st.lists(TERMS, max_size=8).map(",".join).map(str.encode),
    st.tuples(st.sampled_from([b"a,", b"7,", b"1,2,3,4,", b"\xff", b"9", b" "]), st.integers(1, 400_000)).map(
        lambda piece: piece[0] * piece[1]
    ),
    st.binary(max_size=20),
)
FIELDS = st.dictionaries(
    st.one_of(
        st.sampled_from(["rule_id", "value", "tag", "orig_type", "status", "rule_value"]).map(str.encode),
        st.binary(max_size=8),
    ),
    VALUES,
    min_size=1,
    max_size=5,
)
HASHES = st.one_of(
    FIELDS,
    st.tuples(FIELDS, VALUES).map(lambda pair: {**pair[0], b"value": pair[1]}),
    st.just(ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")),
)


class Connection:
    """Answers HGETALL and PING from a dict, in the bytes that Redis would send."""

    socket_timeout = 5.0

    def __init__(self, content: dict[bytes, Any]) -> None:
        self._content = content
        self._reader = self
        self._unread = b""

    async def send_packed_command(self, commands: bytes) -> None:
        for name, word in unpacked(commands):
            self._unread += self._hash(word) if name == b"HGETALL" else _bulk(word)

    async def read(self, _bytes: int) -> bytes:
        unread, self._unread = self._unread, b""
        return unread

    async def disconnect(self, *, nowait: bool) -> None:
        """Nothing to close."""

    def _hash(self, key: bytes) -> bytes:
        found = self._content[key]
        if not isinstance(found, dict):
            return f"-{found}\r\n".encode()
        words = list(chain.from_iterable(found.items()))
        return b"*%d\r\n" % len(words) + b"".join(map(_bulk, words))


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


class Redis:
    """Answers what a reader of rules asks; tests of the reader ask a real server."""

    def __init__(self, content: dict[bytes, Any]) -> None:
        self._content = content
        self.connection_pool = self
        self.connection_kwargs = {"socket_timeout": 5.0}

    async def scan(self, _cursor: int, *, match: str, count: int) -> list[Any]:
        return [b"0", list(self._content)]

    async def mget(self, keys: list[str]) -> list[None]:
        return [None for _ in keys]

    async def get_connection(self) -> Connection:
        return Connection(self._content)

    async def release(self, _connection: Connection) -> None:
        """Nothing to keep."""


class Everything:
    """Serves every group."""

    named = ()

    def serves(self, _group: GroupId) -> bool:
        return True


def read(content: dict[bytes, Any]) -> tuple[dict[GroupId, Snapshot], RuleReader]:
    reader = RuleReader(Redis(content))  # type: ignore[arg-type]
    return asyncio.run(reader.read_all(Everything())), reader


@examples(150)
@given(content=st.dictionaries(KEYS, HASHES, max_size=4))
def test_any_key_with_any_hash_is_a_rule_or_says_why_not(content: dict[bytes, Any]) -> None:
    seen, reader = read(content)
    for group, snapshot in seen.items():
        assert len(str(group)) <= len("locations:") + MAX_ID_CHARS
        check_rules(snapshot.rules, group)
        for rejected in snapshot.rejected:
            assert 0 < len(rejected.reason) < 300
            assert rejected.reason.isprintable()
    for stray in reader.strays:
        assert 0 < len(stray.reason) < 300
        assert stray.reason.isprintable()
    found = [len(s.rules) + len(s.rejected) + len(s.switched_off) for s in seen.values()]
    assert sum(found) + len(reader.strays) == len([key for key in content if key.startswith(PREFIXES)])


PREFIXES = tuple(f"traptor-{word}:".encode() for word in (*RuleType, "location"))


def check_rules(rules: Sequence[Rule], group: GroupId) -> None:
    """They can be matched, streamed and written into a tweet."""
    Matcher(rules)
    form = filter_form(rules)
    assert set(form) <= {group.type.value, "stall_warnings"}
    Enricher(rules, f"{group}", 1, "v1.1", group)
    for rule in rules:
        assert len(rule.values) <= Limits().of(group.type)
        assert json.loads(rule.json)["rule_id"] == rule.rule_id
        assert len(rule.json) <= MAX_RULE_BYTES


@examples(100)
@given(hashtag=st.booleans(), status=st.text(max_size=8), extra=st.text(max_size=8))
def test_no_reason_tells_more_of_a_hash_than_the_value_that_is_wrong(
    hashtag: bool, status: str, extra: str
) -> None:
    content = {
        f"traptor-{rule_type}:0:r".encode(): {
            b"value": b"-,,\0",
            b"appid": SECRET.encode(),
            b"status": status.encode(errors="replace"),
            f"f{extra}".encode(errors="replace"): SECRET.encode() + b"\xff",
            b"orig_type": b"hashtag" if hashtag else b"",
        }
        for rule_type in RuleType
    }
    seen, _ = read(content)
    shown = "".join(rejected.reason for snapshot in seen.values() for rejected in snapshot.rejected)
    assert SECRET not in shown


# ---- the channel

PAYLOADS = st.one_of(
    GROUPS.map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(max_size=20),
    st.just(b"track:" + b"0" * 1_000_000),
)


@examples(200)
@given(payload=PAYLOADS)
def test_any_message_on_the_channel_is_a_hint_or_counted(payload: bytes) -> None:
    hints: list[GroupId] = []
    listener = HintListener(
        None,  # type: ignore[arg-type]  # it is not asked
        "c",
        on_hint=hints.append,
        on_subscribed=lambda: None,
        on_lost=lambda: None,
        tell=lambda _error: None,
    )
    listener._take("message", payload)
    assert len(hints) + listener.malformed == 1
    assert all(len(str(group)) <= len("locations:") + MAX_ID_CHARS for group in hints)
