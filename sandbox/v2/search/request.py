"""The parameters of a search, checked as X checks them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.fields import PARAMETERS, Fields, parse_fields
from traptor.sandbox.v2.language.dialect import SEARCH
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.rule import Rule, parse_rule
from traptor.sandbox.v2.parameters.moments import parse_moment
from traptor.sandbox.v2.parameters.paging import check_names, choices, whole_number
from traptor.sandbox.v2.search.finder import Span

_LEAST, _MOST, _USUAL = 10, 500, 10
_USUAL_SPAN_S = 30 * 86_400
_USUAL_LAGS = 3  # without `end_time` the search ends this many times the lag before the request
_OWN = ("query", "start_time", "end_time", "max_results", "next_token", "pagination_token", "sort_order")
_MARK = "before:"


@dataclass(frozen=True, slots=True)
class Search:
    """One request for a page."""

    rule: Rule
    span: Span
    size: int
    fields: Fields


def parse_search(query: Mapping[str, str], now_unix_s: float, lag_s: float, query_length: int) -> Search:
    """Read the parameters; the last `lag_s` seconds cannot be searched. Raises Problem or InvalidRequest."""
    check_names(query, (*_OWN, *PARAMETERS))
    choices(query, "sort_order", ("recency",), "recency")
    size = whole_number(query, "max_results", _LEAST, _MOST, _USUAL)
    return Search(
        _rule(query, query_length), _span(query, now_unix_s, lag_s), size, parse_fields(query.items())
    )


def page_token(before: int) -> str:
    """Return the token of the page whose posts have lower numbers."""
    return base64.urlsafe_b64encode(f"{_MARK}{before}".encode()).decode().rstrip("=")


def _rule(query: Mapping[str, str], length: int) -> Rule:
    text = query.get("query", "")
    try:
        return parse_rule(text, length, SEARCH)
    except InvalidRule as error:
        raise problems.invalid_request(str(error), {"query": [text]}) from None


def _span(query: Mapping[str, str], now_unix_s: float, lag_s: float) -> Span:
    start = parse_moment(query, "start_time")
    end = parse_moment(query, "end_time")
    latest = now_unix_s - lag_s
    if end is not None and end > latest:
        raise _bad(query, "end_time", f"must be at least {lag_s:g} seconds before the request")
    if end is None:
        end = now_unix_s - _USUAL_LAGS * lag_s
    if start is None:
        start = end - _USUAL_SPAN_S
    elif start >= end:
        raise _bad(query, "start_time", "must be before 'end_time'")
    return Span(start, end, _before(query))


def _before(query: Mapping[str, str]) -> int | None:
    tokens = [query[name] for name in ("next_token", "pagination_token") if name in query]
    if not tokens:
        return None
    try:
        text = base64.urlsafe_b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        text = ""
    number = text.removeprefix(_MARK)
    if not text.startswith(_MARK) or not number.isdecimal():
        raise problems.invalid_request("Invalid pagination token", {"next_token": [tokens[0]]})
    return int(number)


def _bad(query: Mapping[str, str], name: str, reason: str) -> problems.Problem:
    return problems.invalid_request(
        f"Invalid '{name}':'{query[name]}'. '{name}' {reason}", {name: [query[name]]}
    )
