"""Turn a hash in Redis into a rule that can be streamed, or the reason why it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

import orjson

from traptor.common.rules.doubts import read_text
from traptor.common.rules.invisible import without_invisible
from traptor.common.rules.rule import GroupId, Inactive, Limits, Rejected, Rule, RuleType
from traptor.common.rules.values import read_values
from traptor.common.text import shown
from traptor.common.timing.rates import RATE

Found = Rule | Rejected | Inactive

KEY_PREFIX = "traptor-"
# Every tweet carries the rules that it matched, and a Kafka message is usually limited to 1 MB.
MAX_RULE_BYTES = 1 << 18
_MOST_ESCAPED = 40  # bytes of JSON that a character may take, in a value or tag, with what stands around it
_READ_FIELDS = frozenset({"rule_id", "value", "tag", "orig_type", "status"})


def parse_key(key: str) -> tuple[GroupId, str]:
    """Return the group and the rest of a key `traptor-<type>:<id>:<rule_id>`; the rest may hold colons.

    Raises ValueError when the key has another form.
    """
    type_text, first, rest = key.partition(":")
    id_text, second, rule_id = rest.partition(":")
    if not (first and second and type_text.startswith(KEY_PREFIX)):
        raise ValueError(f"not a rule's key: {shown(key)} (expected traptor-<type>:<id>:<rule_id>)")
    return _group(type_text[len(KEY_PREFIX) :], id_text), rule_id


@lru_cache(maxsize=4096)  # one group has up to 100,000 keys
def _group(type_text: str, id_text: str) -> GroupId:
    return GroupId.parse(f"{type_text}:{id_text}")


def decode_fields(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the fields of a hash as text.

    Fields that decide what the rule means must be UTF-8; in all others, which are only passed on, invalid
    bytes become U+FFFD. Raises ValueError naming the field.
    """
    with suppress(UnicodeDecodeError):  # hardly ever
        return {name.decode(): value.decode() for name, value in raw.items()}
    fields = {}
    for name_bytes, value_bytes in raw.items():
        name = name_bytes.decode(errors="replace")
        try:
            fields[name] = value_bytes.decode()
        except UnicodeDecodeError:
            if name in _READ_FIELDS:
                raise ValueError(f"field {name} is not UTF-8") from None
            fields[name] = value_bytes.decode(errors="replace")
    return fields


def read_rule(key: str, fields: Mapping[str, str], honour_status: bool, limits: Limits) -> Found:
    """Classify the hash under `key`: a rule to stream, a rule switched off, or no usable rule."""
    try:
        group, key_rest = parse_key(key)
    except ValueError as error:
        return Rejected(key, None, str(error))
    status = _word(fields, "status")
    if honour_status and status.lower() not in ("", "active"):
        return Inactive(key, group, status)
    try:
        return _usable(key, group, fields.get("rule_id") or key_rest, fields, limits)
    except ValueError as error:
        return Rejected(key, group, str(error))


def _usable(key: str, group: GroupId, rule_id: str, fields: Mapping[str, str], limits: Limits) -> Rule:
    if not rule_id:
        raise ValueError("neither the key nor the field rule_id names the rule")
    if "value" not in fields:
        raise ValueError("the field value is missing")
    ready_json = _ready_json(rule_id, fields, group.type)
    values, doubt = _values(group.type, fields, limits)
    return Rule(key, rule_id, group, values, ready_json, doubt=doubt, has_rate=RATE in fields)


def check_fields(
    rule_type: RuleType, fields: Mapping[str, str], limits: Limits
) -> tuple[tuple[str, ...], str]:
    """Return the values that a rule with these fields would have, and the doubt about them.

    Raises ValueError with the reason for which `read_rule` would reject it, at half the cost.
    """
    if "value" not in fields:
        raise ValueError("the field value is missing")
    if _MOST_ESCAPED * (sum(map(len, fields)) + sum(map(len, fields.values()))) > MAX_RULE_BYTES:
        _ready_json(fields.get("rule_id", ""), fields, rule_type)
    return _values(rule_type, fields, limits)


def _values(rule_type: RuleType, fields: Mapping[str, str], limits: Limits) -> tuple[tuple[str, ...], str]:
    hashtag = rule_type is RuleType.TRACK and _word(fields, "orig_type").lower() == "hashtag"
    text, doubt = read_text(rule_type, fields["value"])
    values = read_values(rule_type, text, hashtag=hashtag)
    limit = limits.of(rule_type)
    if len(values) > limit:
        raise ValueError(f"{len(values)} values; one connection carries {limit} and a rule is never split")
    return values, doubt


def _ready_json(rule_id: str, fields: Mapping[str, str], rule_type: RuleType) -> bytes:
    """Return the member of `collection_rules`: the rule's fields and those that the original Traptor adds.

    The added fields come last, and in locations rules first, as in the original. A rule without a `rule_id`
    field gets the one from its key, by which readers count. The result is ASCII, as tweets are.

    Raises ValueError when it is too large.
    """
    added = {"rule_tag": fields.get("tag"), "rule_value": fields["value"]}
    if rule_type is RuleType.LOCATIONS:
        member = {**added, **fields, "rule_id": rule_id}
    else:
        member = {**fields, "rule_id": rule_id, **added}
    # A copy: orjson's result occupies 4 KiB however short it is, and rules live long.
    text = bytes(memoryview(orjson.dumps(member)))
    if not text.isascii() and len(text) <= MAX_RULE_BYTES:
        text = json.dumps(member, separators=(",", ":")).encode()
    if len(text) > MAX_RULE_BYTES:
        raise ValueError(
            f"it has {len(text)} bytes as JSON, which holds value and tag twice; {MAX_RULE_BYTES} are"
            " allowed, because every matching tweet carries it"
        )
    return text


def _word(fields: Mapping[str, str], name: str) -> str:
    """Return a field that takes one of a few words, without invisible characters."""
    return without_invisible(fields.get(name, ""))[0].strip()
