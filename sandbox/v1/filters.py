"""The form that a client sends to statuses/filter, checked as Twitter checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from traptor.sandbox.errors import BadInput, Refused
from traptor.sandbox.tweets.values import FilterType, Value, parse_values

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most distinct values that one connection may carry (Twitter, "Standard stream parameters")."""

    track: int = 400
    follow: int = 5000
    locations: int = 25

    def of(self, kind: FilterType) -> int:
        """Return the limit of one type."""
        return {"track": self.track, "follow": self.follow, "locations": self.locations}[kind]


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """The filter that one connection asked for."""

    values: dict[FilterType, tuple[str, ...]]
    is_delimited: bool = False
    other: dict[str, str] = field(default_factory=dict)

    def wanted(self) -> frozenset[Value]:
        """Return all values; a tweet made for any of them is written to the connection."""
        return frozenset(Value(kind, text) for kind, texts in self.values.items() for text in texts)


def parse_filter(pairs: Pairs, limits: Limits) -> StreamFilter:
    """Read the request's parameters.

    Raises Refused: 406 for a value that Twitter does not accept or an empty filter, 413 for more values than
    allowed, 416 for `count` (reserved to elevated roles).
    """
    form = _joined(pairs)
    if "count" in form:
        raise Refused(416, "count: backfill is not open to this role")
    values = {kind: _values(kind, form[kind]) for kind in FilterType if form.get(kind, "").strip()}
    if not values:
        raise Refused(406, "No filter parameters found. Expected at least one of: follow track locations")
    for kind, texts in values.items():
        if len(texts) > limits.of(kind):
            raise Refused(413, f"{kind}: {len(texts)} values, at most {limits.of(kind)} are allowed")
    other = {name: text for name, text in form.items() if name not in set(FilterType)}
    return StreamFilter(values, form.get("delimited") == "length", other)


def _joined(pairs: Pairs) -> dict[str, str]:
    """Join a parameter that is given twice into one list."""
    form: dict[str, str] = {}
    for name, text in pairs:
        form[name] = f"{form[name]},{text}" if name in form else text
    return form


def _values(kind: FilterType, text: str) -> tuple[str, ...]:
    try:
        return tuple(value.text for value in parse_values(kind, text))
    except BadInput as problem:
        raise Refused(406, str(problem)) from None
