"""Classify a line of an API v2 stream: a post, or one of the other lines that X is known to send."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, cast

import msgspec

from traptor.common.problem import Problem, listed_problems
from traptor.worker.posts.post import PostLine
from traptor.worker.tweets.received import decode_odd
from traptor.worker.tweets.tweet import tolerant


class LineKind(StrEnum):
    """The kinds of lines."""

    POST = "post"
    PROBLEMS = "problems"  # errors, or one bare problem
    DISCONNECT = "disconnect"  # problems of which one says that the stream ends
    METADATA = "connection_metadata"
    UNKNOWN = "unknown"  # a JSON object of no known kind
    BROKEN = "broken"  # not a JSON object


class StreamLine(msgspec.Struct, frozen=True, gc=False):
    """One line of the stream, with what the worker acts on."""

    kind: LineKind
    line: PostLine | None = None  # of a post
    problems: tuple[Problem, ...] = ()
    """Of PROBLEMS and DISCONNECT all, the one that ends the stream first; of a POST its partial errors."""


_UNNAMED = "unnamed"
_DISCONNECT = "operational-disconnect"
_POST = LineKind.POST
_BROKEN = StreamLine(LineKind.BROKEN)
_decode = msgspec.json.Decoder(PostLine).decode


def read_line(raw: bytes) -> StreamLine:
    """Return what `raw` is; never raises, whatever the bytes are."""
    try:
        line = _decode(raw)
        if not raw.isascii():
            raw.decode()  # the decoder does not check parts that it skips for invalid UTF-8
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _read_odd_line(raw)
    if not line.is_post:
        return _read_odd_line(raw)
    if not line.has_errors:
        return StreamLine(_POST, line)
    return StreamLine(_POST, line, _partial_errors(bytes(line.errors)))


def name_of(problem: Problem) -> str:
    """Return the name under which a problem is counted."""
    return problem.kind or _UNNAMED


def _read_odd_line(raw: bytes) -> StreamLine:
    """Read a line other than a post, or a post with a member of an undocumented type."""
    try:
        members = decode_odd(raw.decode())
        if not isinstance(members, dict):
            return _BROKEN
        line = cast(PostLine, tolerant(members, PostLine))
    except (ValueError, RecursionError):
        return _BROKEN
    errors = listed_problems(members.get("errors"))
    if line.is_post:
        return StreamLine(_POST, line, errors)
    return _without_post(members, errors)


def _without_post(members: dict[str, Any], errors: tuple[Problem, ...]) -> StreamLine:
    whole = msgspec.convert({name: members[name] for name in _PROBLEM_MEMBERS & members.keys()}, Problem)
    problems = errors or ((whole,) if _is_problem(whole) else ())
    ending = [one for one in problems if _ends_the_stream(one)]
    if ending:
        return StreamLine(LineKind.DISCONNECT, problems=(*ending, *(p for p in problems if p not in ending)))
    if problems:
        return StreamLine(LineKind.PROBLEMS, problems=problems)
    is_metadata = members.get("type") == LineKind.METADATA
    return StreamLine(LineKind.METADATA if is_metadata else LineKind.UNKNOWN)


_PROBLEM_MEMBERS = frozenset(Problem.__struct_fields__)


def _is_problem(whole: Problem) -> bool:
    return any(isinstance(text, str) for text in (whole.title, whole.connection_issue, whole.disconnect_type))


def _ends_the_stream(problem: Problem) -> bool:
    if isinstance(problem.connection_issue, str) or isinstance(problem.disconnect_type, str):
        return True
    return problem.kind == _DISCONNECT


def _partial_errors(raw: bytes) -> tuple[Problem, ...]:
    try:
        return listed_problems(json.loads(raw))
    except (ValueError, RecursionError):
        return ()
