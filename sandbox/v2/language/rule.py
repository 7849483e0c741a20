"""One value in X's rule language, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from traptor.sandbox.v2.language.dialect import STREAM, Dialect
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.nodes import Node
from traptor.sandbox.v2.language.parser import parse

MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """A valid value; matches posts by their facts."""

    value: str
    root: Node = field(repr=False, compare=False)

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post matches."""
        return self.root.matches(facts)


def parse_rule(value: str, max_length: int = MAX_LENGTH, dialect: Dialect = STREAM) -> Rule:
    """Read a value. Raises InvalidRule, with the `details` for X's problem document."""
    if not value.strip():
        raise InvalidRule("rules must not be empty")
    if len(value) > max_length:
        raise InvalidRule(f"rules must be no longer than {max_length} characters; this has {len(value)}")
    root = parse(value, dialect)
    if not root.is_selective():
        raise InvalidRule(
            "rules need, in every alternative, a positive operator that may stand alone: "
            "negated terms, has:, is:, lang:, sample: and counts may not"
        )
    if not root.is_meaningful():
        raise InvalidRule("rules must contain a positive clause that is not a stop word")
    return Rule(value, root)
