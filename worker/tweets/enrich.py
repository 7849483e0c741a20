"""Make the delivered tweet: the tweet's own JSON unchanged, with a member `traptor` at its end.

The form is compatible with the original Traptor's; `collection`, `inferred` and `truncated` are ours.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import orjson

from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.tweets.timestamps import iso_of_created_at, iso_of_unix_time
from traptor.worker.tweets.truncated import truncated_json

_NUMERIC = re.compile("-?[0-9]+")
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Enrichable(Protocol):
    """A tweet or a post as decoded from its line."""

    @property
    def created_at(self) -> str | None:
        """Its time, as the server wrote it."""

    @property
    def has_traptor(self) -> bool:
        """True when the JSON already has a member `traptor`, whatever it holds."""


class Enricher:
    """Adds to tweets of one connection which rules they matched, and how they were collected.

    `extras` tells whether to add members that the original did not have; `filled` names the method by which
    they were fetched for a gap, empty: they came over the stream. When a tweet would exceed
    `most_bytes`, its rules are cut to their ids, and `on_truncated` receives their number.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        connection: str,
        generation: int,
        api: str,
        group: GroupId | None,
        *,
        extras: bool = True,
        filled: str = "",
        most_bytes: int = sys.maxsize,
        on_truncated: Callable[[int], None] = lambda _rules: None,
    ) -> None:
        """Take the rules that indexes refer to; `group` is None when a connection carries several."""
        # Nothing is built per rule here: memory that is never touched stays shared with the master.
        self._rules = rules
        self._group = group
        self._head = _head(group)
        self._heads: dict[int, bytes] = {}  # by identity of a rule's group
        self._not_found = _not_found(rules, group)
        self._extras = extras
        self._most_bytes = most_bytes
        self._on_truncated = on_truncated
        about = {"connection": connection, "generation": generation, "received_at": "", "api": api}
        about |= {"filled": filled} if filled else {}
        opening, closing = orjson.dumps(about).split(b'"received_at":""')
        self._collection = b',"collection":' + opening + b'"received_at":"' if extras else b""
        self._end = b'"' + closing + b"}}" if extras else b"}}"
        self._last = (0.0, b"")  # a time of receipt, and what ends the tweets that came then

    def enrich(
        self,
        raw: bytes,
        tweet: Enrichable,
        matched: Sequence[int],
        inferred: bool,
        received_at_s: float,
        repeated: bool = False,
    ) -> bytes:
        """Return `raw`, the line that `tweet` was decoded from, with the member `traptor`.

        `matched` holds indexes of rules; `inferred` tells that only the wider interpretation found them;
        `received_at_s` is unix time; `repeated` tells that it came before.
        """
        rules = self._rules
        is_marked = inferred and self._extras
        if len(matched) == 1 and not is_marked:
            members = rules[matched[0]].json
        else:
            texts = [rules[number].json for number in matched]
            members = b",".join(_marked(texts) if is_marked else texts)
        if len(raw) + len(members) > self._most_bytes and matched:
            self._on_truncated(len(matched))
            texts = [truncated_json(rules[number]) for number in matched]
            members = b",".join(_marked(texts) if is_marked else texts)
        added = b"".join(
            (
                self._head_of(rules[matched[0]].group) if matched else self._head,
                _created_at_member(tweet.created_at),
                b',"collection_rules":[',
                members,
                b"]" if matched else self._not_found,
                b',"repeated":true' if repeated and self._extras else b"",
                self._end_of(received_at_s),
            )
        )
        # Joined with the rest, the tweet itself would take twice the time.
        return (_without_traptor(raw) if tweet.has_traptor else raw).rstrip()[:-1] + added

    def _end_of(self, received_at_s: float) -> bytes:
        """Return what follows the rules, the same for all that came together."""
        at_s, end = self._last
        if at_s != received_at_s or not end:
            iso = _iso_of_unix_ms(int(received_at_s * 1000)) if self._extras else b""
            end = b"".join((self._collection, iso, self._end))
            self._last = (received_at_s, end)
        return end

    def _head_of(self, group: GroupId) -> bytes:
        """Return the head for a rule of this group, by its identity: its hash takes longer than the rest."""
        head = self._heads.get(id(group))
        if head is None:
            head = self._heads[id(group)] = _head(group) if self._group is None else self._head
        return head


def _marked(texts: Sequence[bytes]) -> list[bytes]:
    return [text[:-1] + b',"inferred":true}' for text in texts]


@functools.lru_cache(maxsize=1024)
def _created_at_member(created_at: str | None) -> bytes:
    iso = iso_of_created_at(created_at) if created_at else None
    return b',"created_at_iso":"%b"' % iso.encode() if iso else b""


@functools.lru_cache(maxsize=4)  # on a busy stream many tweets arrive in one millisecond
def _iso_of_unix_ms(time_ms: int) -> bytes:
    return iso_of_unix_time(time_ms).encode()


@functools.lru_cache(maxsize=64)
def _head(group: GroupId | None) -> bytes:
    return b',"traptor":{"id_str":%b' % _group_id(group)


def _group_id(group: GroupId | None) -> bytes:
    """Return the id as JSON: a number if it is numeric, as the original wrote it."""
    if group is None:
        return b"null"
    return str(int(group.id)).encode() if _NUMERIC.fullmatch(group.id) else orjson.dumps(group.id)


def _not_found(rules: Sequence[Rule], group: GroupId | None) -> bytes:
    types = {group.type} if group is not None else {rule.group.type for rule in rules}
    rule_type = orjson.dumps(types.pop() if len(types) == 1 else None)
    return b'],"rule_type":%b,"id":%b,"rule_tag":"Not Found","rule_value":"Not Found"' % (
        rule_type,
        _group_id(group),
    )


def _without_traptor(raw: bytes) -> bytes:
    """Remove the member `traptor` and leave the text of all others unchanged."""
    try:
        members = _decode_members(raw)
    except msgspec.MsgspecError:  # half a surrogate pair, which only the standard library's parser accepts
        fields = json.loads(raw, parse_float=_finite)
        return json.dumps({name: fields[name] for name in fields if name != "traptor"}).encode()
    del members["traptor"]
    return msgspec.json.encode(members)


def _finite(text: str) -> float:
    """Return a number that can be written as JSON again; one beyond a float, like 1e999, is capped."""
    return max(-sys.float_info.max, min(float(text), sys.float_info.max))
