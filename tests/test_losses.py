"""Which lost tweets no reported gap accounts for."""

from __future__ import annotations

import pytest
from support.collection import Json
from support.losses import Span, unaccounted

GAP = (10.0, 12.0)
STREAMS: list[Json] = [
    {"opened_at": 1.0, "closed_at": 10.2},
    {"opened_at": 11.9, "closed_at": None},
]


def made(at: float, *written: float) -> Json:
    """A tweet of that time; its monotonic times are 100 s less."""
    return {"made_at": at, "made_mono": at - 100, "written_mono": [one - 100 for one in written]}


@pytest.mark.parametrize(
    ("tweet", "gaps", "is_accounted_for"),
    [
        (made(9.0, 10.1), [GAP], True),  # it waited in the server's queue
        (made(9.0, 9.5), [GAP], False),
        (made(11.95, 12.5), [GAP], False),
        (made(9.0, 9.5, 11.0), [GAP], False),
        (made(9.0), [GAP], True),  # its stream ended in the gap, before its turn
        (made(9.0), [(11.0, 12.0)], False),
        (made(10.5), [(11.0, 12.0)], True),  # there was no stream yet
        (made(10.5), [(12.0, 13.0)], False),
        (made(13.0), [GAP], False),
        (made(11.0), [], False),
    ],
)
def test_a_lost_tweet_is_judged_by_when_it_was_sent(
    tweet: Json, gaps: list[Span], is_accounted_for: bool
) -> None:
    assert (unaccounted([tweet], gaps, STREAMS) == []) is is_accounted_for
