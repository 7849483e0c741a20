"""Questions to the ledger: what is understood, what is refused, and how periods cut intervals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.supervisor.ledger.answers.question import BadQuestionError, Question
from traptor.supervisor.ledger.period import ALL_TIME, Period
from traptor.supervisor.ledger.records import Entry

NOW = 1795647600.0


def ask(**parameters: str) -> Question:
    return Question.parse({name: [value] for name, value in parameters.items()}, NOW)


def entry(since: float, until: float, seconds: float | None = None, is_open: bool = False) -> Entry:
    return Entry(
        "track:0",
        "gap",
        "crash",
        since,
        until,
        until - since if seconds is None else seconds,
        is_open=is_open,
    )


@pytest.mark.parametrize(
    "text",
    [
        "1795647600",
        "1795647600.0",
        "2026-11-25T23:00:00Z",
        "2026-11-25T23:00:00.000+00:00",
        "2026-11-26T00:00:00+01:00",
        "2026-11-26T00:00:00 01:00",  # a + that the client did not write as %2B
        "2026-11-25T23:00",
    ],
)
def test_times_are_unix_seconds_or_iso(text: str) -> None:
    assert ask(since=text).period.since == 1795647600.0


def test_a_day_begins_at_midnight_utc() -> None:
    assert ask(until="2026-11-26").period.until == 1795651200.0


@pytest.mark.parametrize(("text", "ago_s"), [("1h", 3600), ("90s", 90), ("1.5d", 129_600), ("250ms", 0.25)])
def test_a_duration_is_a_time_so_long_ago(text: str, ago_s: float) -> None:
    assert ask(since=text).period.since == NOW - ago_s
    assert ask(since="2d", until=text).period.until == NOW - ago_s


def test_nothing_asks_for_everything() -> None:
    assert Question.parse({}, NOW) == Question(None, None, ALL_TIME)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"since": ["yesterday"]}, "since must be how long ago it is, such as 1h, or Unix seconds, or ISO"),
        ({"since": ["1 hour"]}, "since must be how long ago"),
        ({"since": ["0s"]}, "since must be how long ago"),
        ({"since": ["1m"], "until": ["1h"]}, "since must be before until"),
        ({"since": ["nan"]}, "since must lie between"),
        ({"until": ["inf"]}, "until must lie between"),
        ({"until": ["-1"]}, "until must lie between"),
        ({"since": ["9999-12-31T23:59:59-23:59"]}, "since must"),
        ({"since": ["5"], "until": ["5"]}, "since must be before until"),
        ({"since": ["5", "6"]}, "since must be given once"),
        ({"rule": ["\udc80"]}, "rule is not UTF-8"),
        ({"rule": [""]}, "rule must be given once, and not be empty"),
        ({"rule": ["x" * 5000]}, "rule is longer"),
        (
            {"conection": ["track:0"]},
            "there is no parameter 'conection'; the parameters are connection, rule",
        ),
    ],
)
def test_what_cannot_be_understood_is_said(parameters: dict[str, list[str]], words: str) -> None:
    with pytest.raises(BadQuestionError, match=words):
        Question.parse(parameters, NOW)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["since", "until", "rule", "connection"]), st.lists(st.text(), max_size=2)
    )
)
def test_any_parameters_are_understood_or_refused(parameters: dict[str, list[str]]) -> None:
    try:
        question = Question.parse(parameters, NOW)
    except BadQuestionError:
        return
    assert question.period.since < question.period.until


def test_a_period_cuts_an_interval_and_its_seconds() -> None:
    """Half of its wall-clock time is half of its seconds, though the clock was set in it."""
    part = Period(0, 15).clip(entry(10, 20, seconds=4.0, is_open=True))
    assert part is not None
    assert (part.from_unix, part.to_unix, part.seconds, part.is_open) == (10, 15, 2.0, False)
    assert Period(0, 10).clip(entry(10, 20)) is None
    assert Period(10, 20).clip(entry(10, 20)) == entry(10, 20)


def test_an_interval_in_which_the_clock_was_set_back_is_kept_whole() -> None:
    assert Period(0, 100).clip(entry(20, 10, seconds=5.0)) == entry(20, 10, seconds=5.0)
    assert Period(25, 30).clip(entry(20, 10, seconds=5.0)) is None
