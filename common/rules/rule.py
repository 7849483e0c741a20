"""Rules as users write them in Redis, and as connections carry them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from traptor.common.text import quoted


class RuleType(StrEnum):
    """The kinds of rules, named as the parameters of `statuses/filter`."""

    FOLLOW = "follow"
    TRACK = "track"
    LOCATIONS = "locations"

    @classmethod
    def parse(cls, text: str) -> RuleType:
        """Read a type as it stands in Redis; `location` is accepted for `locations`.

        Raises ValueError for any other text.
        """
        try:
            return cls("locations" if text == "location" else text)
        except ValueError:
            raise ValueError(f"{quoted(text)} is not a type of rule (follow, track or locations)") from None


# File names of a connection begin with the id, and a file system allows 255 bytes for a name.
MAX_ID_CHARS = 100
_SHOWN_CHARS = 200
_GROUP_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_CHARS}}}")


@dataclass(frozen=True, slots=True, order=True)
class GroupId:
    """The name of the group of rules under one `type:id`."""

    type: RuleType
    id: str

    @classmethod
    def parse(cls, text: str) -> GroupId:
        """Read `type:id`, as it stands in a pubsub message or the ini.

        Raises ValueError when the text has another form.
        """
        type_text, _, id_text = text.partition(":")
        if not _GROUP_ID.fullmatch(id_text):
            raise ValueError(f"not a group: {quoted(text)} (expected type:id, like track:0)")
        return cls(RuleType.parse(type_text), id_text)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


# gc=False: a rule never takes part in a reference cycle, and with 100,000 rules a full collection that visits
# them would block the master's event loop 30 ms longer.
class Rule(msgspec.Struct, frozen=True, gc=False):
    """One usable rule, normalised.

    `values` are what goes to Twitter and counts towards the limit, each once, in the rule's order: for track
    lower-case phrases (with `#` before each term of a hashtag rule), for follow numeric user ids, for
    locations "west,south,east,north". `json` is the ready-made member of `collection_rules`: the rule's own
    fields with `rule_tag` and `rule_value`. `digest` is a number derived from all of these; one that comes in
    a message of the master to its worker is taken as it is. `doubt` is a sentence for the rule's owner about
    a value that may not find what it is meant to. `has_rate` tells that its fields name a rate limit, so that
    nobody has to look into each rule's JSON for one.
    """

    key: str
    rule_id: str
    group: GroupId
    values: tuple[str, ...]
    json: bytes
    digest: int = 0
    doubt: str = ""
    has_rate: bool = False

    def __post_init__(self) -> None:
        if self.digest:
            return
        # Neither a value nor our JSON contains a raw line end, so the joined parts cannot be confused.
        text = "\n".join((*self.values, self.key)).encode(errors="surrogatepass")
        digest = hashlib.blake2b(self.json + b"\n" + text, digest_size=8).digest()
        msgspec.structs.force_setattr(self, "digest", int.from_bytes(digest, "big"))

    @property
    def shown_key(self) -> str:
        """The key as shown to people, cut when it is long."""
        return _shown_key(self.key)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A Redis key that does not hold a usable rule, and why; `reason` is a sentence for its owner.

    `group` is None when the key does not name one.
    """

    key: str
    group: GroupId | None
    reason: str

    @property
    def shown_key(self) -> str:
        """The key as shown to people, cut when it is long."""
        return _shown_key(self.key)


def _shown_key(key: str) -> str:
    return key if len(key) <= _SHOWN_CHARS else f"{key[: _SHOWN_CHARS - 3]}..."


@dataclass(frozen=True, slots=True)
class Inactive:
    """A rule kept in Redis but not streamed, because of its `status`."""

    key: str
    group: GroupId
    status: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The most distinct values one connection may carry (defaults: Twitter, "POST statuses/filter")."""

    follow: int = 5_000
    track: int = 400
    locations: int = 25

    def of(self, rule_type: RuleType) -> int:
        """Return the limit for rules of one type."""
        match rule_type:
            case RuleType.FOLLOW:
                return self.follow
            case RuleType.TRACK:
                return self.track
            case RuleType.LOCATIONS:
                return self.locations


def fingerprint(rules: Iterable[Rule]) -> str:
    """Return 16 hex digits that change when the rules do, whatever their order; takes 50 ns per rule.

    Digests are summed, so the fingerprint of a changed set can be computed without the unchanged rules.
    """
    return fingerprint_of_sum(sum(rule.digest for rule in rules))


def fingerprint_of_sum(digests: int) -> str:
    """Return the fingerprint of rules whose digests sum to `digests`."""
    return f"{digests % (1 << 64):016x}"
