"""The filling of gaps as status.json shows it: plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from traptor.common.config.kinds.v2 import NO_FILLS
from traptor.common.config.sections.twitter import TwitterSection
from traptor.supervisor.fills.pieces.course import Course
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.ledger.fills import FillBook

_MOST_SHOWN = 20


def overview(
    twitter: TwitterSection, book: FillBook, courses: Mapping[str, Course], now_unix: float
) -> dict[str, Any]:
    """Return the settings, the last fills, and for each connection what waits and what was paid today.

    Those that are over are counted since the ledger began; the others are those of now.
    """
    fills = book.all()
    unended = [fill for fill in fills if fill.is_open]
    ended = [book.total(state) for state in FillState if state.is_final]
    return {
        "setting": twitter.fill_gaps,
        "daily_dollars": twitter.fill_daily_dollars,
        "states": {state.value: sum(one.state is state for one in unended) for state in FillState}
        | {total.state.value: total.fills for total in ended},
        "posts": sum(total.posts for total in ended) + sum(fill.posts for fill in unended),
        "fills": [fill.as_json() for fill in _shown(fills)],
        "connections": [
            _connection(name, course, book, now_unix) for name, course in sorted(courses.items())
        ],
    }


def _shown(fills: Sequence[Fill]) -> Sequence[Fill]:
    """Return the last ones, and what each connection gave up last before them: a problem says why."""
    older, last = fills[:-_MOST_SHOWN], fills[-_MOST_SHOWN:]
    given_up = {fill.connection: fill for fill in older if fill.state is FillState.GIVEN_UP}
    return [*given_up.values(), *last]


def nothing_filled() -> dict[str, Any]:
    """Return the same for a supervisor that fills no gaps."""
    return {
        "setting": NO_FILLS,
        "daily_dollars": None,
        "states": dict.fromkeys(map(str, FillState), 0),
        "posts": 0,
        "fills": [],
        "connections": [],
    }


def _connection(name: str, course: Course, book: FillBook, now_unix: float) -> dict[str, Any]:
    pause = course.pause
    return {
        "connection": name,
        "open": len(book.open(name)),
        "dollars_today": round(book.spent(name, now_unix), 4),
        "waits_for": pause.why if pause is not None else None,
        "waits_until": pause.until if pause is not None else None,
    }
