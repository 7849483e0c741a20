"""Read what an owner wrote as a rule's value, and tell what is not taken as it was meant."""

from __future__ import annotations

from traptor.common.rules.invisible import without_invisible
from traptor.common.rules.operators import doubt_of_operators
from traptor.common.rules.rule import RuleType


def read_text(rule_type: RuleType, written: str) -> tuple[str, str]:
    """Return the value without invisible characters at word edges, and a warning for its owner, or ""."""
    text, doubt = without_invisible(written)
    of_operators = doubt_of_operators(text) if rule_type is RuleType.TRACK else ""
    return text, "; ".join(filter(None, (doubt, of_operators)))
