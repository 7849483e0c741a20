"""Read all rules of a type, in pipelines of some hundred hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import redis
from redis.exceptions import ResponseError

from traptor.common.redis.client import REDIS_ERRORS, hashes, scan_page, unavailable, values
from traptor.common.rules.normalise import decode_fields, parse_key
from traptor.common.rules.revision import revision_key
from traptor.common.rules.rule import GroupId, Rejected, RuleType
from traptor.rulekit.changes.holdings import Holdings, Stored

_SCAN_COUNT = 5_000
_TOGETHER = 500
_MOST_KEYS = 5_000_000  # beyond this somebody else's keys are read

Progress = Callable[[int, int], None]


def quiet(_done: int, _total: int) -> None:
    """Show no progress."""


def read_holdings(
    client: redis.Redis, rule_type: RuleType, group: GroupId | None = None, progress: Progress = quiet
) -> Holdings:
    """Return the rules of a type, or of one group. Raises RedisUnavailable."""
    try:
        return _read(client, rule_type, group, progress)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


def _read(client: redis.Redis, rule_type: RuleType, group: GroupId | None, progress: Progress) -> Holdings:
    keys: dict[str, GroupId] = {}
    unusable = []
    for raw in _scan(client, key_pattern(rule_type, group)):
        try:
            key = raw.decode()
            found, _ = parse_key(key)
        except UnicodeDecodeError:
            unusable.append(Rejected(raw.decode(errors="backslashreplace"), None, "the key is not UTF-8"))
        except ValueError as error:
            unusable.append(Rejected(raw.decode(errors="replace"), None, str(error)))
        else:
            if found.type is rule_type and group in (None, found):
                keys[key] = found
    revisions = read_revisions(client, sorted({*keys.values(), *([group] if group else [])}))
    rules: list[Stored] = []
    for part in _batches(sorted(keys)):
        for one in read_hashes(client, part, keys):
            if isinstance(one, Rejected):
                unusable.append(one)
            else:
                rules.append(one)
        progress(len(rules), len(keys))
    return Holdings(tuple(rules), tuple(unusable), revisions)


def read_revisions(client: redis.Redis, groups: Sequence[GroupId]) -> dict[GroupId, bytes | None]:
    """Return the revision of each group. Raises redis-py's errors and OSError."""
    if not groups:
        return {}
    reply = client.mget([revision_key(group) for group in groups])
    return dict(zip(groups, values(len(groups))(reply), strict=True))


def revisions_of(client: redis.Redis, groups: Sequence[GroupId]) -> dict[GroupId, bytes | None]:
    """Return the revision of each group. Raises RedisUnavailable."""
    try:
        return read_revisions(client, groups)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


def key_pattern(rule_type: RuleType, group: GroupId | None) -> str:
    """Return the pattern of the keys of a type, or of a group; it may fit keys of others too."""
    spelling = "location*" if rule_type is RuleType.LOCATIONS else str(rule_type)
    return f"traptor-{spelling}:{group.id}:*" if group else f"traptor-{spelling}:*"


def _scan(client: redis.Redis, pattern: str) -> Iterator[bytes]:
    cursor, count = 0, 0
    while True:
        cursor, keys = scan_page(client.scan(cursor, match=pattern, count=_SCAN_COUNT))
        yield from keys
        count += len(keys)
        if not cursor or count > _MOST_KEYS:
            return


def _batches(keys: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(keys)
    while part := list(islice(remaining, _TOGETHER)):
        yield part


def read_hashes(
    client: redis.Redis, keys: Sequence[str], groups: Mapping[str, GroupId]
) -> Iterator[Stored | Rejected]:
    """Yield what stands under each key that is still there, with its group. Raises redis-py's errors."""
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hgetall(key)
        replies = hashes(len(keys))(pipeline.execute(raise_on_error=False))
    for key, reply in zip(keys, replies, strict=True):
        if isinstance(reply, ResponseError):
            if not str(reply).startswith("WRONGTYPE"):
                raise reply
            yield Rejected(key, groups[key], "not a hash")
        elif reply:
            yield _stored(key, groups[key], reply)


def _stored(key: str, group: GroupId, reply: dict[bytes, bytes]) -> Stored | Rejected:
    try:
        fields = decode_fields(reply)
    except ValueError as error:
        return Rejected(key, group, str(error))
    return Stored(key, group, fields.get("rule_id") or parse_key(key)[1], fields)
