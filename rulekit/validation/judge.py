"""Judge one value: valid or why not, how it is normalised, and which limit applies; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from traptor.common.rules.doubts import read_text
from traptor.common.rules.rule import Limits, RuleType
from traptor.common.rules.values import read_values
from traptor.common.text import shown
from traptor.rulekit.validation.kinds import ValueKind, read_kind
from traptor.rulekit.validation.shapes import read_area

MOST_TOGETHER = 1_000
_MOST_CHARACTERS = 1_000_000
_USERNAME = re.compile(r"@?([A-Za-z0-9_]{1,15})")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said about a value. `values` count towards the limit of `limit` for one connection.

    `value` is what a rule would hold; a username has none until its id is known.
    """

    kind: ValueKind
    reason: str = ""  # why it is not valid
    value: str = ""
    values: tuple[str, ...] = ()
    limit: int = 0
    notes: tuple[str, ...] = ()
    username: str = ""

    @property
    def is_valid(self) -> bool:
        """True when a rule can have this value."""
        return not self.reason

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of a rule with this value."""
        fields = {"value": self.value, "rule_type": str(self.kind.rule_type)}
        return {**fields, "orig_type": "hashtag"} if self.kind is ValueKind.HASHTAG else fields

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        told: dict[str, object] = {"kind": str(self.kind), "valid": self.is_valid}
        if not self.is_valid:
            return {**told, "reason": self.reason}
        told |= {
            "type": str(self.kind.rule_type),
            "value": self.value,
            "values": list(self.values),
            "limit": {
                "name": f"{self.kind.rule_type}_limit",
                "per_connection": self.limit,
                "counts": len(self.values),
            },
            "notes": list(self.notes),
        }
        return {**told, "username": self.username} if self.username else told


def judge(kind: ValueKind, value: object, limits: Limits) -> Verdict:
    """Judge a value of a kind."""
    try:
        return _judged(kind, value, limits)
    except ValueError as error:
        return Verdict(kind, str(error))


def judge_item(item: object, limits: Limits) -> Verdict:
    """Judge `{"type": kind, "value": value}`, as requests hold it. Raises ValueError for another form."""
    if not isinstance(item, Mapping) or "value" not in item or not isinstance(item.get("type"), str):
        raise ValueError('expected an object such as {"type": "keyword", "value": "flood warning"}')
    return judge(read_kind(item["type"]), item["value"], limits)


def _judged(kind: ValueKind, value: object, limits: Limits) -> Verdict:
    if kind is ValueKind.GEO:
        area = read_area(value)
        return _checked(kind, area.value, limits, (area.note,) if area.note else ())
    text = _text(value)
    if kind is ValueKind.USERNAME:
        return _username(text, limits)
    return _checked(kind, text, limits, ())


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("the value is not a text")  # noqa: TRY004 - the content is wrong
    if len(value) > _MOST_CHARACTERS:
        raise ValueError(f"the value has {len(value)} characters; at most {_MOST_CHARACTERS} are read")
    return value


def _username(text: str, limits: Limits) -> Verdict:
    found = _USERNAME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{shown(text)} is not a user name: up to 15 letters, digits and _, perhaps after @")
    note = "rules follow ids: look the id up before it is stored"
    return Verdict(
        ValueKind.USERNAME, limit=limits.follow, notes=(note,), username=found[1], values=(found[1].lower(),)
    )


def _checked(kind: ValueKind, text: str, limits: Limits, notes: tuple[str, ...]) -> Verdict:
    rule_type = kind.rule_type
    seen, doubt = read_text(rule_type, text)
    values = read_values(rule_type, seen, hashtag=kind is ValueKind.HASHTAG)
    limit = limits.of(rule_type)
    if len(values) > limit:
        raise ValueError(f"{len(values)} values; one connection carries {limit} and a rule is never split")
    stored = ",".join(values) if rule_type is not RuleType.TRACK else seen.strip()
    return Verdict(kind, "", stored, values, limit, (*notes, *((doubt,) if doubt else ())))
