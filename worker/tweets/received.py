"""Classify a line of the stream as one kind of message.

Kinds and their fields: Twitter, "Streaming message types".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

import msgspec

from traptor.worker.tweets.tweet import Tweet, tolerant, well_formed


class Kind(StrEnum):
    """Name the kinds of messages; those without a comment came on `statuses/filter`."""

    TWEET = "tweet"
    DELETE = "delete"
    SCRUB_GEO = "scrub_geo"
    LIMIT = "limit"
    STATUS_WITHHELD = "status_withheld"
    USER_WITHHELD = "user_withheld"
    DISCONNECT = "disconnect"
    WARNING = "warning"
    FRIENDS = "friends"  # user and site streams only, like the next three
    EVENT = "event"
    FOR_USER = "for_user"
    CONTROL = "control"
    UNKNOWN = "unknown"  # a JSON object of no known kind
    BROKEN = "broken"  # not a JSON object


class Message(msgspec.Struct, frozen=True, gc=False):
    """Hold one message of the stream, with the fields that the worker acts on."""

    kind: Kind
    tweet: Tweet | None = None
    withheld: int | None = None
    """LIMIT: tweets withheld since this connection opened, as one of the server's threads counts them."""
    code: str | int | None = None
    """DISCONNECT: its number; WARNING: its name."""
    reason: str | None = None
    percent_full: float | None = None
    """WARNING: how full the server's queue for this connection is."""


_KIND_BY_MEMBER = {
    kind.value: kind for kind in Kind if kind not in (Kind.TWEET, Kind.UNKNOWN, Kind.BROKEN)
} | {"friends_str": Kind.FRIENDS}
BROKEN = Message(Kind.BROKEN)
# No connection lasts long enough for more; a larger count would not fit into a report or into Redis.
_MOST_WITHHELD = 1 << 40
_TWEET = Kind.TWEET  # looking up an enum member takes three steps
_decode_tweet = msgspec.json.Decoder(Tweet).decode


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


decode_odd = json.JSONDecoder(parse_constant=_refuse).decode


def read_message(line: bytes) -> Message:
    """Return what `line` is; never raises, whatever the bytes are."""
    try:
        tweet = _decode_tweet(line)
        if not line.isascii():
            line.decode()  # the decoder does not check parts that it skips for invalid UTF-8
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _read_odd_message(line)
    return Message(_TWEET, tweet) if tweet.is_complete else _read_odd_message(line)


def _read_odd_message(line: bytes) -> Message:
    """Read a message other than a tweet, or a tweet with a field of an undocumented type.

    The standard library's parser also accepts half surrogate pairs, which occur in some truncated tweets.
    """
    try:
        fields = decode_odd(line.decode())
        if not isinstance(fields, dict):
            return BROKEN
        tweet = cast(Tweet, tolerant(fields, Tweet))
    except (ValueError, RecursionError):
        return BROKEN
    if tweet.is_complete:
        return Message(Kind.TWEET, tweet)
    kind = next((_KIND_BY_MEMBER[member] for member in fields if member in _KIND_BY_MEMBER), Kind.UNKNOWN)
    return _with_details(kind, fields.get(kind.value))


def _with_details(kind: Kind, body: Any) -> Message:
    if isinstance(body, Mapping):
        if kind is Kind.LIMIT:
            return Message(kind, withheld=_withheld(body))
        if kind is Kind.DISCONNECT:
            return Message(kind, code=_number_or_text(body.get("code")), reason=_text(body.get("reason")))
        if kind is Kind.WARNING:
            return Message(
                kind,
                code=_number_or_text(body.get("code")),
                reason=_text(body.get("message")),
                percent_full=_number(body.get("percent_full")),
            )
    return Message(kind)


def _withheld(limit: Mapping[str, Any]) -> int | None:
    """Return the count; its member is `track` in every documented sample, whatever the stream's type."""
    counts = [limit["track"]] if "track" in limit else list(limit.values())
    return next((count for count in counts if _is_count(count)), None)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_WITHHELD


def _text(value: Any) -> str | None:
    return well_formed(value) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _number_or_text(value: Any) -> str | int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else _text(value)
