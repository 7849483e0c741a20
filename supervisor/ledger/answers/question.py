"""Parse questions to the ledger: about which connection or rule, and for which period."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from traptor.common.config.kinds.quantities import read_duration
from traptor.supervisor.ledger.period import ALL_TIME, Period

_LATEST_UNIX = 253_402_300_799.0  # the last second of the year 9999, the latest that a date can express
_PARAMETERS = ("connection", "rule", "since", "until")
_LONGEST = 1000


class BadQuestionError(ValueError):
    """The question cannot be understood; the message says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """The question: everything, or a part of it."""

    connection: str | None = None
    rule: str | None = None
    period: Period = ALL_TIME

    @classmethod
    def parse(cls, parameters: Mapping[str, Sequence[str]], now_unix: float) -> Question:
        """Parse the parameters of a request received at `now_unix`. Raises BadQuestionError."""
        for name, values in parameters.items():
            if name not in _PARAMETERS:
                raise BadQuestionError(
                    f"there is no parameter {name[:40]!r}; the parameters are {', '.join(_PARAMETERS)}"
                )
            if len(values) != 1 or not values[0]:
                raise BadQuestionError(f"{name} must be given once, and not be empty")
            if len(values[0]) > _LONGEST:
                raise BadQuestionError(f"{name} is longer than {_LONGEST} characters")
            if not _is_text(values[0]):
                raise BadQuestionError(f"{name} is not UTF-8")
        given = {name: values[0] for name, values in parameters.items()}
        since = _time("since", given, -math.inf, now_unix)
        until = _time("until", given, math.inf, now_unix)
        if since >= until:
            raise BadQuestionError("since must be before until")
        return cls(given.get("connection"), given.get("rule"), Period(since, until))


def _is_text(value: str) -> bool:
    """Tell whether the value was valid UTF-8 before it was decoded."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(name: str, given: Mapping[str, str], default: float, now_unix: float) -> float:
    text = given.get(name)
    if text is None:
        return default
    try:
        unix = float(text)
    except ValueError:
        ago_s = _duration(text)
        unix = _iso_time(name, text) if ago_s is None else now_unix - ago_s
    if not 0 <= unix <= _LATEST_UNIX:
        raise BadQuestionError(f"{name} must lie between the years 1970 and 9999")
    return unix


def _duration(text: str) -> float | None:
    try:
        return read_duration(text)
    except ValueError:
        return None


def _iso_time(name: str, text: str) -> float:
    try:
        # A + that was not written as %2B has become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise BadQuestionError(
            f"{name} must be how long ago it is, such as 1h, or Unix seconds,"
            " or ISO 8601 such as 2026-11-23T10:00:00Z (no zone: UTC)"
        ) from None
