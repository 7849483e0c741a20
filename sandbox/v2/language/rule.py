"""One value in X's rule language, read and checked."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.sandbox.v2.language.facts import Facts

MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """A valid value; finds posts by their facts."""

    value: str

    def matches(self, facts: Facts) -> bool:
        """Tell whether the post is found."""
        raise NotImplementedError


def parse_rule(value: str, max_length: int = MAX_LENGTH) -> Rule:
    """Read a value. Raises InvalidRule, whose `details` X would put into its problem document."""
    raise NotImplementedError
