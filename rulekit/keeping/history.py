"""What was changed, when and by whom: a trimmed stream for each group, from which a change is taken back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson
import redis

from traptor.common.redis.client import REDIS_ERRORS, UnexpectedReply, scan_page, unavailable
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.change import ChangeKind, Fields, GroupChange, RuleChange

MOST_ENTRIES = 100  # of a group
_PREFIX = "traptor:history:"
_SCAN_COUNT = 5_000
_LEVEL = 1  # of compression: loads are written while somebody waits


def history_key(group: GroupId) -> str:
    """Return the key of a group's history."""
    return f"{_PREFIX}{group}"


@dataclass(frozen=True, slots=True)
class Past:
    """One rule of an entry: what it was before, and a digest of what it became (None: nothing)."""

    key: str
    before: Fields | None
    after_digest: str | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of one group."""

    id: str
    group: GroupId
    by: str
    command: str
    counts: dict[ChangeKind, int]
    together: tuple[GroupId, ...]  # the groups that were written in the same step, itself among them
    rules: tuple[Past, ...]

    @property
    def at(self) -> datetime:
        """When it was written, by the clock of Redis."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)


def entry_fields(
    change: GroupChange, together: Sequence[GroupId], by: str, command: str
) -> list[str | bytes]:
    """Return the fields of a new entry, names and values in turn."""
    rules = [
        [one.key, one.before, None if one.after is None else digest_of(one.after)] for one in change.rules
    ]
    counts = {str(kind): change.count(kind) for kind in ChangeKind}
    return [
        *("by", by),
        *("command", command),
        *("counts", orjson.dumps(counts)),
        *("together", " ".join(str(group) for group in together)),
        *("rules", zlib.compress(orjson.dumps(rules), _LEVEL)),
    ]


def digest_of(fields: Fields) -> str:
    """Return a digest that tells whether a rule was changed again since."""
    text = orjson.dumps(dict(fields), option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=8).hexdigest()


def read_history(client: redis.Redis, group: GroupId, most: int) -> list[HistoryEntry]:
    """Return the newest entries of a group, the newest first. Raises RedisUnavailable."""
    try:
        reply: Any = client.execute_command(  # type: ignore[no-untyped-call]  # redis-py has no types here
            "XREVRANGE", history_key(group), "+", "-", "COUNT", most
        )
        return list(_entries(group, reply))
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


def groups_with_history(client: redis.Redis, rule_type: RuleType) -> list[GroupId]:
    """Return the groups of a type that have a history, also those without rules. Raises RedisUnavailable."""
    try:
        cursor, found = 0, set[bytes]()
        while True:
            page = client.scan(cursor, match=f"{_PREFIX}{rule_type}:*", count=_SCAN_COUNT)
            cursor, keys = scan_page(page)
            found.update(keys)
            if not cursor:
                break
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    names = [key.decode(errors="replace").removeprefix(_PREFIX) for key in found]
    return sorted(GroupId.parse(name) for name in names if _is_group(name))


def _is_group(name: str) -> bool:
    try:
        GroupId.parse(name)
    except ValueError:
        return False
    return True


def _entries(group: GroupId, reply: Any) -> Iterator[HistoryEntry]:
    try:
        for entry_id, flat in reply:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            rules = orjson.loads(zlib.decompress(fields[b"rules"]))
            counts = orjson.loads(fields[b"counts"])
            yield HistoryEntry(
                id=entry_id.decode(),
                group=group,
                by=fields[b"by"].decode(errors="replace"),
                command=fields[b"command"].decode(errors="replace"),
                counts={kind: int(counts[kind]) for kind in ChangeKind},
                together=tuple(GroupId.parse(word) for word in fields[b"together"].decode().split()),
                rules=tuple(Past(key, before, after) for key, before, after in rules),
            )
    except (TypeError, ValueError, KeyError, AttributeError, zlib.error) as error:
        raise UnexpectedReply(f"{history_key(group)} holds an entry that is none: {error}") from error


def taken_back(entry: HistoryEntry, present: dict[str, Fields]) -> tuple[list[RuleChange], list[str]]:
    """Return the changes that undo an entry, and the keys of rules that were changed again since."""
    changes, touched = [], []
    for past in entry.rules:
        now = present.get(past.key)
        if (None if now is None else digest_of(now)) != past.after_digest:
            touched.append(past.key)
        changes.append(RuleChange(past.key, now, past.before))
    return [one for one in changes if one.before != one.after], touched
