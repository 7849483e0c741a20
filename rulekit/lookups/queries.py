"""A rule as a question in X's language, for its counts endpoint; pure.

It is the plain reading of a value. What a supervisor makes of it is more exact; counts are a lower bound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from traptor.common.rules.rule import RuleType

MAX_CHARACTERS = 512
_PLAIN = re.compile(r"[#@]?\w+", re.UNICODE)
_RESERVED = frozenset({"or", "and", "not"})


def queries_of(rule_type: RuleType, values: Sequence[str]) -> list[str]:
    """Return the questions that together ask for the values, as few as fit their length.

    Raises ValueError for a value that cannot be asked for.
    """
    queries: list[str] = []
    for clause in dict.fromkeys(_clause(rule_type, value) for value in values):
        if len(clause) > MAX_CHARACTERS:
            raise ValueError(
                f"it takes {len(clause)} characters to ask for it, and {MAX_CHARACTERS} are allowed"
            )
        joined = f"{queries[-1]} OR {clause}" if queries else clause
        if queries and len(joined) <= MAX_CHARACTERS:
            queries[-1] = joined
        else:
            queries.append(clause)
    return queries


def _clause(rule_type: RuleType, value: str) -> str:
    match rule_type:
        case RuleType.TRACK:
            words = [_word(word) for word in value.split()]
            return words[0] if len(words) == 1 else f"({' '.join(words)})"
        case RuleType.FOLLOW:
            return f"(from:{value} OR to:{value} OR retweets_of:{value})"
        case RuleType.LOCATIONS:
            return f"bounding_box:[{value.replace(',', ' ')}]"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and word not in _RESERVED:
        return word
    return '"' + word.replace('"', " ").replace("\\", " ").strip() + '"'
