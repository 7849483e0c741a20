"""Classify a line of an API v2 stream: a post, or one of the other lines that X is known to send."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import filterfalse
from typing import Any, cast

import msgspec

from traptor.common.problem import ProblemDocument, listed_problems
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.post import PostLine
from traptor.worker.tweets.received import decode_odd
from traptor.worker.tweets.tweet import tolerant


class LineKind(StrEnum):
    """The kinds of lines that are not posts."""

    PROBLEMS = "problems"  # errors, or one bare problem
    DISCONNECT = "disconnect"  # problems of which one says that the stream ends
    METADATA = "connection_metadata"
    UNKNOWN = "unknown"  # a JSON object of no known kind
    BROKEN = "broken"  # not a JSON object


class OtherLine(msgspec.Struct, frozen=True, gc=False):
    """A line that is not a post; of its problems, one that ends the stream comes first."""

    kind: LineKind
    problems: tuple[ProblemDocument, ...] = ()


_UNNAMED = "unnamed"
_DISCONNECT = "operational-disconnect"
BROKEN = OtherLine(LineKind.BROKEN)
decode_head = msgspec.json.Decoder(PostHead).decode
_decode_whole = msgspec.json.Decoder(PostLine).decode


def read_posts(
    lines: Sequence[bytes], decode: Callable[[bytes], PostHead] = decode_head
) -> list[PostHead] | None:
    """Return what lines are if all are posts of the documented form; None where one is not."""
    try:
        heads = [*map(decode, lines)]
        for line in filterfalse(bytes.isascii, lines):
            line.decode()  # the decoder does not check parts that it skips for invalid UTF-8
        ids = [head.data.id for head in heads]  # type: ignore[union-attr]  # AttributeError: no post
        return heads if all(ids) else None
    except (msgspec.MsgspecError, ValueError, RecursionError, AttributeError):
        return None


def read_line(raw: bytes, decode: Callable[[bytes], PostHead] = decode_head) -> PostHead | OtherLine:
    """Return what `raw` is; never raises, whatever the bytes are.

    `decode` may decode more of a post than its head; what it cannot decode is read without it.
    """
    try:
        head = decode(raw)
        if not raw.isascii():
            raw.decode()  # the decoder does not check parts that it skips for invalid UTF-8
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _read_odd_line(raw)
    post = head.data
    return head if post is not None and post.id is not None else _read_odd_line(raw)


def whole_post(raw: bytes) -> PostLine:
    """Return everything that matching may need of a line that `read_line` took for a post.

    Raises RecursionError for one that is nested too deeply.
    """
    try:
        return _decode_whole(raw)
    except (msgspec.MsgspecError, ValueError):
        return cast(PostLine, tolerant(decode_odd(raw.decode()), PostLine))


def partial_errors(head: PostHead) -> tuple[ProblemDocument, ...]:
    """Return the reasons why something of a post could not be expanded."""
    try:
        return listed_problems(json.loads(bytes(head.errors)))
    except (ValueError, RecursionError):
        return ()


def name_of(problem: ProblemDocument) -> str:
    """Return the name under which a problem is counted."""
    return problem.kind or _UNNAMED


def _read_odd_line(raw: bytes) -> PostHead | OtherLine:
    """Read a line other than a post, or a post with a member of an undocumented type."""
    try:
        members = decode_odd(raw.decode())
        if not isinstance(members, dict):
            return BROKEN
        head = cast(PostHead, tolerant(members, PostHead))
        if not head.is_post:
            return _without_post(members)
        if "errors" in members:
            head = msgspec.structs.replace(head, errors=msgspec.Raw(json.dumps(members["errors"]).encode()))
    except (ValueError, RecursionError):
        return BROKEN
    return head


def _without_post(members: dict[str, Any]) -> OtherLine:
    whole = msgspec.convert(
        {name: members[name] for name in _PROBLEM_MEMBERS & members.keys()}, ProblemDocument
    )
    problems = listed_problems(members.get("errors")) or ((whole,) if _is_problem(whole) else ())
    ending = [one for one in problems if _ends_the_stream(one)]
    if ending:
        return OtherLine(LineKind.DISCONNECT, (*ending, *(one for one in problems if one not in ending)))
    if problems:
        return OtherLine(LineKind.PROBLEMS, problems)
    is_metadata = members.get("type") == LineKind.METADATA
    return OtherLine(LineKind.METADATA if is_metadata else LineKind.UNKNOWN)


_PROBLEM_MEMBERS = frozenset(ProblemDocument.__struct_fields__)


def _is_problem(whole: ProblemDocument) -> bool:
    return any(isinstance(text, str) for text in (whole.title, whole.connection_issue, whole.disconnect_type))


def _ends_the_stream(problem: ProblemDocument) -> bool:
    if isinstance(problem.connection_issue, str) or isinstance(problem.disconnect_type, str):
        return True
    return problem.kind == _DISCONNECT
