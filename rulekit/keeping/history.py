"""What was changed, when and by whom: a trimmed stream for each group, from which a change is taken back."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
_ALL = 10 * MOST_ENTRIES  # Redis trims roughly
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
    change: str  # the same for all groups that a command changed
    groups: tuple[GroupId, ...]  # all that it was to change, itself among them
    together: tuple[GroupId, ...]  # those that were written in the same step
    rules: tuple[Past, ...]

    @property
    def at(self) -> datetime:
        """When it was written, by the clock of Redis."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who makes a change, and by what; `change` tells it from all others."""

    by: str
    command: str
    change: str = field(default_factory=lambda: secrets.token_hex(8))


def entry_fields(
    change: GroupChange, groups: Sequence[GroupId], together: Sequence[GroupId], signature: Signature
) -> list[str | bytes]:
    """Return the fields of a new entry, names and values in turn."""
    rules = [
        [one.key, one.before, None if one.after is None else digest_of(one.after)] for one in change.rules
    ]
    counts = {str(kind): change.count(kind) for kind in ChangeKind}
    return [
        *("by", signature.by),
        *("command", signature.command),
        *("counts", orjson.dumps(counts)),
        *("change", signature.change),
        # Each of the groups has the names of all: compressed, four hundred take a kilobyte.
        *("groups", zlib.compress(" ".join(map(str, groups)).encode(), _LEVEL)),
        *("together", " ".join(map(str, together))),
        *("rules", zlib.compress(orjson.dumps(rules), _LEVEL)),
    ]


def digest_of(fields: Fields) -> str:
    """Return a digest that tells whether a rule was changed again since."""
    text = orjson.dumps(dict(fields), option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=8).hexdigest()


def read_history(client: redis.Redis, group: GroupId, most: int) -> list[HistoryEntry]:
    """Return the newest entries of a group, the newest first. Raises RedisUnavailable."""
    try:
        return [_entry(group, *one) for one in _newest(client, group, most)]
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


def entry_of(client: redis.Redis, group: GroupId, change: str) -> HistoryEntry | None:
    """Return what a change did to a group; None where that is not in its history. Raises RedisUnavailable."""
    try:
        found = (one for one in _newest(client, group, _ALL) if _change_of(one[1]) == change)
        return next((_entry(group, *one) for one in found), None)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


def is_trimmed(client: redis.Redis, group: GroupId) -> bool:
    """Tell whether a group may have had older entries. Raises RedisUnavailable."""
    try:
        return len([*_newest(client, group, MOST_ENTRIES)]) == MOST_ENTRIES
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


def _newest(client: redis.Redis, group: GroupId, most: int) -> Iterator[tuple[str, dict[bytes, bytes]]]:
    """Yield the newest entries, with their ids. Raises redis-py's errors and UnexpectedReply."""
    reply: Any = client.execute_command(  # type: ignore[no-untyped-call]  # redis-py has no types here
        "XREVRANGE", history_key(group), "+", "-", "COUNT", most
    )
    try:
        for entry_id, flat in reply:
            yield entry_id.decode(), dict(zip(flat[::2], flat[1::2], strict=True))
    except (TypeError, ValueError, AttributeError) as error:
        raise _not_ours(group, error) from error


def _entry(group: GroupId, entry_id: str, fields: dict[bytes, bytes]) -> HistoryEntry:
    try:
        rules = orjson.loads(zlib.decompress(fields[b"rules"]))
        counts = orjson.loads(fields[b"counts"])
        together = _groups(fields[b"together"])
        return HistoryEntry(
            id=entry_id,
            group=group,
            by=fields[b"by"].decode(errors="replace"),
            command=fields[b"command"].decode(errors="replace"),
            counts={kind: int(counts[kind]) for kind in ChangeKind},
            change=_change_of(fields),
            groups=_groups(zlib.decompress(fields[b"groups"])) if b"groups" in fields else together,
            together=together,
            rules=tuple(Past(key, before, after) for key, before, after in rules),
        )
    except (TypeError, ValueError, KeyError, AttributeError, zlib.error) as error:
        raise _not_ours(group, error) from error


def _change_of(fields: dict[bytes, bytes]) -> str:
    """Return what tells a change from others; older versions wrote nothing that is sure to."""
    if b"change" in fields:
        return fields[b"change"].decode(errors="replace")
    return b" ".join(fields.get(name, b"") for name in (b"by", b"command", b"together")).decode(
        errors="replace"
    )


def _groups(text: bytes) -> tuple[GroupId, ...]:
    return tuple(GroupId.parse(word) for word in text.decode().split())


def _not_ours(group: GroupId, error: Exception) -> UnexpectedReply:
    return UnexpectedReply(f"{history_key(group)} holds an entry that is none: {error}")


def taken_back(entry: HistoryEntry, present: Mapping[str, Fields]) -> tuple[list[RuleChange], list[str]]:
    """Return the changes that undo an entry, and the keys of rules that were changed again since.

    A rule that is as it was before the entry is left alone.
    """
    changes, touched = [], []
    for past in entry.rules:
        now = present.get(past.key)
        if now == past.before:
            continue
        if (None if now is None else digest_of(now)) != past.after_digest:
            touched.append(past.key)
        changes.append(RuleChange(past.key, now, past.before))
    return changes, touched
