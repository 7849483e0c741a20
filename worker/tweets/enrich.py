"""Make the delivered tweet: the tweet's own JSON unchanged, with a member `traptor` at its end.

The form is compatible with the original Traptor's; `collection`, `inferred` and `truncated` are ours.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Sequence

import msgspec
import orjson

from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.tweets.label import Label
from traptor.worker.tweets.timestamps import iso_of_created_at, iso_of_unix_time, unix_ms_of_created_at
from traptor.worker.tweets.truncated import truncated_json

_NUMERIC = re.compile("-?[0-9]+")
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


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
        self._last = b'"' + closing + b"}}" if extras else b"}}"
        self._came_at(0.0)

    def enrich(
        self,
        raw: bytes,
        created_at: str | None,
        matched: Sequence[int],
        inferred: bool,
        received_at_s: float,
    ) -> bytes:
        """Return `raw`, a tweet's line, with the member `traptor`, which it must not have yet.

        `created_at` is the tweet's time as the server wrote it; `matched` holds indexes of rules; `inferred`
        tells that only the wider interpretation found them; `received_at_s` is unix time.
        """
        if received_at_s != self._received_at_s:
            self._came_at(received_at_s)
        is_marked = inferred and self._extras
        if len(matched) == 1 and not is_marked:  # as nearly always
            rule = self._rules[matched[0]]
            members = rule.json
            head = self._heads.get(id(rule.group)) or self._head_of(rule.group)
        else:
            members = self._members(matched, is_marked)
            head = self._head_of(self._rules[matched[0]].group) if matched else self._head
        if len(raw) + len(members) > self._most_bytes and matched:
            members = self._cut_members(matched, is_marked)
        closing = self._closing if matched else self._not_found + self._end
        return b"".join((raw.rstrip()[:-1], head, time_of(created_at).member, members, closing))

    def label(self, matched: tuple[int, ...], inferred: bool) -> Label:
        """Return what tweets with these rules have in common."""
        rules, is_marked = self._rules, inferred and self._extras
        return Label(
            matched,
            is_marked,
            tuple([rules[index].rule_id for index in matched]),
            self._head_of(rules[matched[0]].group) if matched else self._head,
            self._members(matched, is_marked),
            b"]" if matched else self._not_found,
        )

    def enrich_all(
        self,
        raws: Sequence[bytes],
        times: Sequence[Time],
        labels: Sequence[Label],
        repeated: Sequence[bool],
        received_at_s: float,
    ) -> list[bytes]:
        """Do as `enrich` for tweets that came together, with the labels of their rules.

        `repeated` tells of each whether it came before.
        """
        if received_at_s != self._received_at_s:
            self._came_at(received_at_s)
        bodies = self._joined(raws, times, labels)
        # Only then one may be too large without the rest of the member, which is what counts.
        if max(map(len, bodies), default=0) > self._most_bytes:
            bodies = self._joined(raws, times, [*map(self._cut_label, raws, labels)])
        if self._extras and True in repeated:
            bodies = [*map(self._marked_as_repeated, bodies, repeated)]
        return bodies

    def _joined(self, raws: Sequence[bytes], times: Sequence[Time], labels: Sequence[Label]) -> list[bytes]:
        join, end = b"".join, self._end
        members = [label.members for label in labels]  # apart: the processor fetches those of several at once
        return [
            join((raw.rstrip()[:-1], label.opening, time.member, rules, label.ending, end))
            for raw, time, label, rules in zip(raws, times, labels, members, strict=True)
        ]

    def _cut_label(self, raw: bytes, label: Label) -> Label:
        """Return the label, with no more of its rules than their ids if the tweet would be too large."""
        if len(raw) + len(label.members) <= self._most_bytes or not label.matched:
            return label
        members = self._cut_members(label.matched, label.is_marked)
        return msgspec.structs.replace(label, members=members)

    def _marked_as_repeated(self, body: bytes, is_repeated: bool) -> bytes:
        return body[: -len(self._end)] + b',"repeated":true' + self._end if is_repeated else body

    def _members(self, matched: Sequence[int], is_marked: bool) -> bytes:
        """Return the rules, as they stand in the list of them."""
        texts = [self._rules[number].json for number in matched]
        return b",".join(_marked(texts) if is_marked else texts)

    def _cut_members(self, matched: Sequence[int], is_marked: bool) -> bytes:
        """Return the rules without all but their ids."""
        self._on_truncated(len(matched))
        texts = [truncated_json(self._rules[number]) for number in matched]
        return b",".join(_marked(texts) if is_marked else texts)

    def _came_at(self, received_at_s: float) -> None:
        """Make what follows the rules, which is the same for all tweets that came together."""
        iso = _iso_of_unix_ms(int(received_at_s * 1000)) if self._extras else b""
        self._received_at_s, self._end = received_at_s, b"".join((self._collection, iso, self._last))
        self._closing = b"]" + self._end

    def _head_of(self, group: GroupId) -> bytes:
        """Make the head for rules of a group, found by its identity: its hash takes longer than the rest."""
        head = self._heads[id(group)] = _head(group) if self._group is None else self._head
        return head


def _marked(texts: Sequence[bytes]) -> list[bytes]:
    return [text[:-1] + b',"inferred":true}' for text in texts]


class Time(msgspec.Struct, frozen=True, gc=False):
    """The time of a tweet, as delivered."""

    member: bytes
    """The member with the time, and the name of the one that follows."""
    unix_ms: int | None
    """None: not known."""


@functools.lru_cache(maxsize=1024)
def time_of(created_at: str | None) -> Time:
    """Return a tweet's time, by its `created_at`."""
    iso = iso_of_created_at(created_at) if created_at else None
    member = b'%b,"collection_rules":[' % (b',"created_at_iso":"%b"' % iso.encode() if iso else b"")
    return Time(member, unix_ms_of_created_at(created_at) if created_at else None)


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


def without_traptor(raw: bytes) -> bytes:
    """Return a line without its member `traptor`, the text of all others unchanged.

    Raises RecursionError for one that is nested too deeply.
    """
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
