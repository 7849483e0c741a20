"""Rules as users write them in Redis, and as connections carry them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class RuleType(StrEnum):
    """What a rule asks Twitter for; the words of `statuses/filter`."""

    FOLLOW = "follow"
    TRACK = "track"
    LOCATIONS = "locations"

    @classmethod
    def parse(cls, text: str) -> RuleType:
        """Read a type as it stands in Redis; `location` is accepted for `locations`.

        Raises ValueError when it is none of the three.
        """
        return cls("locations" if text == "location" else text)


_GROUP_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, order=True)
class GroupId:
    """Names the rules under one `type:id`."""

    type: RuleType
    id: str

    @classmethod
    def parse(cls, text: str) -> GroupId:
        """Read `type:id`, as a pubsub message or the ini has it.

        Raises ValueError when it is not of that form.
        """
        type_text, _, id_text = text.partition(":")
        if not _GROUP_ID.fullmatch(id_text):
            raise ValueError(f"not a group: {text!r} (expected type:id, like track:0)")
        return cls(RuleType.parse(type_text), id_text)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One usable rule, normalised.

    `values` are what goes to Twitter and counts towards the limit, each once, in the rule's order:
    for track lower-case phrases (with `#` before each term of a hashtag rule), for follow numeric user ids,
    for locations "west,south,east,north". `json` is the ready-made member of `collection_rules`:
    the rule's own fields with `rule_tag` and `rule_value`.
    """

    key: str
    rule_id: str
    group: GroupId
    values: tuple[str, ...]
    json: bytes
