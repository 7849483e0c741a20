"""The kinds of values that people ask about, and the type of rule that each becomes."""

from __future__ import annotations

from enum import StrEnum

from traptor.common.rules.rule import RuleType
from traptor.common.text import quoted


class ValueKind(StrEnum):
    """A kind of value, named as the original's Manager API and rule managers name it."""

    KEYWORD = "keyword"
    HASHTAG = "hashtag"
    USERNAME = "username"
    USERID = "userid"
    GEO = "geo"

    @property
    def rule_type(self) -> RuleType:
        """The type of rule that it becomes."""
        match self:
            case ValueKind.KEYWORD | ValueKind.HASHTAG:
                return RuleType.TRACK
            case ValueKind.USERNAME | ValueKind.USERID:
                return RuleType.FOLLOW
            case ValueKind.GEO:
                return RuleType.LOCATIONS


_OTHER_NAMES = {
    "track": ValueKind.KEYWORD,
    "follow": ValueKind.USERID,
    "user": ValueKind.USERNAME,
    "user_id": ValueKind.USERID,
    "screen_name": ValueKind.USERNAME,
    "location": ValueKind.GEO,
    "locations": ValueKind.GEO,
    "box": ValueKind.GEO,
    "bbox": ValueKind.GEO,
    "polygon": ValueKind.GEO,
}


def usual_kind(rule_type: RuleType) -> ValueKind:
    """Return the kind of the values that rules of a type hold."""
    return _OTHER_NAMES[str(rule_type)]


def read_kind(text: str) -> ValueKind:
    """Return the kind of this name. Raises ValueError."""
    word = text.strip().lower()
    try:
        return _OTHER_NAMES.get(word) or ValueKind(word)
    except ValueError:
        known = ", ".join((*ValueKind, *sorted(_OTHER_NAMES)))
        raise ValueError(f"{quoted(text)} is not a kind of value: expected one of {known}") from None
