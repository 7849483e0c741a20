"""A rule as its owner wants it: a row of a source, checked and given an id."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from traptor.common.rules.normalise import check_fields
from traptor.common.rules.rule import Limits, RuleType
from traptor.common.text import shown
from traptor.common.timing.rates import read_rate_limit
from traptor.rulekit.changes.change import Fields
from traptor.rulekit.sources.row import BadRow, Row

_MAX_ID_BYTES = 200
_UNSUITABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # categories of characters


@dataclass(frozen=True, slots=True)
class Wanted:
    """One valid rule; `fields` holds its `rule_id` and `rule_type`, `number` is its row."""

    number: int
    rule_id: str
    fields: Fields
    values: tuple[str, ...]
    doubt: str = ""


def wanted_rule(row: Row, rule_type: RuleType, limits: Limits) -> Wanted:
    """Return the rule of a row. Raises ValueError with the reason why it cannot be streamed."""
    fields = dict(row.fields)
    own_type = fields.setdefault("rule_type", str(rule_type)).strip().lower()
    if own_type != rule_type and RuleType.parse(own_type) is not rule_type:
        raise ValueError(f"rule_type is {own_type}, and {rule_type} rules are expected")
    rule_id = fields.get("rule_id", "").strip()
    values, doubt = check_fields(rule_type, fields, limits)
    if rule_id:
        _check_id(rule_id)
    _check_rate(fields)
    fields["rule_id"] = rule_id or derived_id(values)
    return Wanted(row.number, fields["rule_id"], fields, values, doubt)


def derived_id(values: Iterable[str]) -> str:
    """Return the id of a rule that came without one: the same values give the same id."""
    return "v-" + blake2b("\n".join(sorted(values)).encode(), digest_size=8).hexdigest()


def other_content(rule_id: str, first_row: int) -> str:
    """Return the reason why a second rule with an id is none."""
    return f"has the rule_id {shown(rule_id)} of row {first_row}, with other content"


def _check_rate(fields: Fields) -> None:
    rate = fields.get("rate", "").strip()
    if rate not in ("", "none"):
        read_rate_limit(rate, fields.get("capacity", "").strip())


def _check_id(rule_id: str) -> None:
    if len(rule_id.encode(errors="surrogatepass")) > _MAX_ID_BYTES:
        raise ValueError(f"rule_id {shown(rule_id)} has more than {_MAX_ID_BYTES} bytes")
    if rule_id.isascii() and rule_id.isprintable():
        return  # as nearly all are
    if any(unicodedata.category(character) in _UNSUITABLE for character in rule_id):
        raise ValueError(f"rule_id {shown(rule_id)} has control or invisible characters")


@dataclass
class Collected:
    """What the rows of a source amount to; a rule that repeats an earlier one word for word is dropped."""

    rules: dict[str, Wanted] = field(default_factory=dict, repr=False)  # by rule id
    bad: list[BadRow] = field(default_factory=list)
    repeated: int = 0

    def take(self, rows: Iterable[Row | BadRow], rule_type: RuleType, limits: Limits) -> Iterator[int]:
        """Add all rows, and yield how many were read, after each."""
        for count, row in enumerate(rows, start=1):
            if isinstance(row, BadRow):
                self.bad.append(row)
            else:
                self._add(row, rule_type, limits)
            yield count

    def _add(self, row: Row, rule_type: RuleType, limits: Limits) -> None:
        try:
            rule = wanted_rule(row, rule_type, limits)
        except ValueError as error:
            self.bad.append(BadRow(row.number, str(error)))
            return
        first = self.rules.setdefault(rule.rule_id, rule)
        if first is rule:
            return
        if first.fields == rule.fields:
            self.repeated += 1
        else:
            self.bad.append(BadRow(row.number, other_content(rule.rule_id, first.number)))
