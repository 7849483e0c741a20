"""The kinds of option values that only API v2 has, and defaults that depend on the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from traptor.common.config.kinds.kinds import Allowed, AtLeast, IniFolder
from traptor.common.config.kinds.pergroup import PerGroup
from traptor.common.config.kinds.quantities import read_amount, read_count, read_duration
from traptor.common.fills import FillMethod
from traptor.common.filters import FollowScope
from traptor.common.rules.invisible import invisible_in

V1, V2 = "v1.1", "v2"
EXPANSIONS = ("none", "posts", "users", "all")
NATIVE = "native"
PAYLOADS = (NATIVE, V1)
MARK = "mark"
REPEATED = (MARK, "drop")
ALL, LAST = "all", "last"
POLICIES = ("refuse", "leave", "adopt", "remove")  # about filters of others in the app
NO_FILLS = "no"
FILLS = (NO_FILLS, FillMethod.SEARCH.value, FillMethod.RECOVERY.value)  # a recovery begins as a backfill
AUTO = "auto"
NONE = "none"

_SCOPES = frozenset(scope.value for scope in FollowScope)
_COLLECTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENCLOSING = re.compile(r'["()]')  # words begin and end beside these, too
_QUOTED = re.compile(r'"[^"]*"')
_SIGNS = re.compile(r"""[("]|\)|(?<![^\s()])OR(?![^\s()])""")
_BARE_OR = (
    "an OR outside of parentheses: what is right of it would find posts for no rule, which cost the same;"
    " write `(lang:en OR lang:de)`"
)
_HALF = "a quote or a parenthesis without its other half"
_LEAST_DOLLARS = 0.01
_Number = TypeVar("_Number", int, float)


def _api(text: str) -> str:
    if text not in (V1, V2):
        raise ValueError("must be v1.1 or v2")
    return text


def _collection(text: str) -> str:
    if not _COLLECTION.fullmatch(text):
        raise ValueError("must be made of at most 64 of A-Z a-z 0-9 _ -")
    return text


def _one_of(*words: str) -> BeforeValidator:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return text

    return BeforeValidator(read)


def _lines(text: str) -> list[list[str]]:
    return [line.split(None, 1) for line in text.split("\n") if line.strip()]


def _suffixes(text: str) -> PerGroup:
    rows = _lines(text)
    for number, row in enumerate(rows, start=1):
        if len(row) < 2:
            raise ValueError(f"line {number} must be a group and its suffix, such as `track:* lang:en`")
        if found := invisible_in(_ENCLOSING.sub(" ", row[1])):
            raise ValueError(
                f"line {number} has invisible characters ({found}), which X takes for part of a word;"
                " write it without them"
            )
        if problem := _problem_of(row[1]):
            raise ValueError(f"line {number} has {problem}")
    return PerGroup.parse((pattern, suffix.strip()) for pattern, suffix in rows)


def _problem_of(suffix: str) -> str:
    """Return what keeps a suffix from holding for all alternatives of a filter, or ""."""
    depth = 0
    for sign in _SIGNS.findall(_QUOTED.sub(" ", suffix)):
        if sign == "OR" and depth == 0:
            return _BARE_OR
        depth += (sign == "(") - (sign == ")")
        if depth < 0 or sign == '"':
            return _HALF
    return _HALF if depth else ""


def _scopes(text: str) -> PerGroup:
    rows = [row if len(row) == 2 else ["*", *row] for row in _lines(text)]
    if not {scope.strip() for _, scope in rows} <= _SCOPES:
        raise ValueError(
            "must be author, replies or full, or lines of a group and one of these, such as `follow:3 author`"
        )
    found = PerGroup.parse((pattern, scope.strip()) for pattern, scope in rows)
    return found if found.every else PerGroup(found.groups, found.types, FollowScope.FULL.value)


def _by_api(
    read: Callable[[str], _Number], v1: _Number, v2: _Number
) -> Callable[[str, ValidationInfo], _Number]:
    def read_for_api(text: str, info: ValidationInfo) -> _Number:
        if text != AUTO:
            return read(text)
        is_v2 = isinstance(info.context, IniFolder) and info.context.api == V2
        return v2 if is_v2 else v1

    return read_for_api


def _cap(read: Callable[[str], _Number], least: float, shown: str) -> Callable[[str], _Number | None]:
    def read_cap(text: str) -> _Number | None:
        if text == NONE:
            return None
        value = read(text)
        AtLeast(least, shown)(value)
        return value

    return read_cap


_A_DURATION = Allowed("a duration, or `auto`")

Api = Annotated[str, BeforeValidator(_api), Allowed("`v1.1` or `v2`")]
Collection = Annotated[str, BeforeValidator(_collection), Allowed("a name")]
Repeated = Annotated[str, _one_of(*REPEATED), Allowed("`mark` or `drop`")]
Edits = Annotated[str, _one_of(ALL, LAST), Allowed("`all` or `last`")]
FillGaps = Annotated[str, _one_of(*FILLS), Allowed("`no`, `search` or `recovery`")]
Payload = Annotated[str, _one_of(*PAYLOADS), Allowed("`native` or `v1.1`")]
Expansion = Annotated[str, _one_of(*EXPANSIONS), Allowed("`none`, `posts`, `users` or `all`")]
ForeignPolicy = Annotated[str, _one_of(*POLICIES), Allowed("`refuse`, `leave`, `adopt` or `remove`")]
Scopes = Annotated[
    PerGroup,
    BeforeValidator(_scopes),
    Allowed("`author`, `replies` or `full`; or lines of a group and one of these", is_list=True),
]
Suffixes = Annotated[
    PerGroup,
    BeforeValidator(_suffixes),
    Allowed("lines of a group and what each of its filters ends with, or nothing", is_list=True),
]
Dollars = Annotated[float, BeforeValidator(read_amount), Allowed("dollars, such as 0.005")]
PostCap = Annotated[
    int | None, BeforeValidator(_cap(read_count, 1, "1")), Allowed("a whole number, or `none`")
]
DollarCap = Annotated[
    float | None,
    BeforeValidator(_cap(read_amount, _LEAST_DOLLARS, "0.01")),
    Allowed("dollars, such as 25, or `none`"),
]
Connects = Annotated[
    int,
    BeforeValidator(_by_api(read_count, 5, 50)),
    AfterValidator(AtLeast(1, "1")),
    Allowed("a whole number, or `auto`"),
]
ConnectsWindow = Annotated[float, BeforeValidator(_by_api(read_duration, 300.0, 900.0)), _A_DURATION]
StallTimeout = Annotated[float, BeforeValidator(_by_api(read_duration, 90.0, 30.0)), _A_DURATION]
