"""A rule's time: streamed, in a gap of the connection that carried it, or uncarried."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.ledger.answers.coverage import coverage, known_spans, with_news
from traptor.supervisor.ledger.disk.reader import StoredStay
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry, Placement

KEY = "traptor-track:0:1"
PLACES = ("track:0", "track:0.2")
NOW = 1_000.0


def piece(place: str, kind: str, since: float, until: float) -> Entry:
    return Entry(place, kind, "crash" if kind == "gap" else None, since, until, until - since)


def short(parts: list[Entry]) -> list[tuple[str | None, str, float, float]]:
    return [(part.connection, part.kind, part.from_unix, part.to_unix) for part in parts]


def test_the_gaps_of_whichever_connection_carried_it() -> None:
    carried = [
        piece("track:0", "streaming", 10, 20),
        piece("track:0", "gap", 20, 25),
        piece("track:0.2", "streaming", 25, 40),
    ]
    assert short(coverage(carried, [(8, 45)], NOW)) == [
        (None, "uncarried", 8, 10),
        ("track:0", "streaming", 10, 20),
        ("track:0", "gap", 20, 25),
        ("track:0.2", "streaming", 25, 40),
        (None, "uncarried", 40, 45),
    ]


def test_a_gap_is_none_while_another_connection_streams_the_rule() -> None:
    carried = [piece("track:0", "streaming", 0, 30), piece("track:0.2", "gap", 10, 50)]
    assert short(coverage(carried, [], NOW)) == [
        ("track:0", "streaming", 0, 30),
        ("track:0.2", "gap", 30, 50),
    ]


def test_time_in_which_it_was_not_planned_is_uncarried() -> None:
    carried = [piece("track:0", "unplanned", 0, 10), piece("track:0", "gap", 10, 12)]
    assert short(coverage(carried, [(5, 12)], NOW)) == [
        (None, "uncarried", 5, 10),
        ("track:0", "gap", 10, 12),
    ]


def test_what_lasts_until_now_is_open_but_not_what_came_before_a_stream() -> None:
    carried = [piece("track:0", "streaming", 10, 20)]
    parts = coverage(carried, [(5, NOW)], NOW)
    assert [(part.from_unix, part.is_open) for part in parts] == [(5, False), (10, False), (20, True)]
    assert not any(part.is_open for part in coverage(carried, [(5, NOW - 1)], NOW))


def test_what_is_known_is_clipped_to_the_period_and_to_now() -> None:
    carried = StoredStay(KEY, "1", "track:0", 10, 30)
    known = [StoredStay(KEY, "1", "known:track:0", 5, 20), StoredStay(KEY, "1", "known:track:0", 40, None)]
    assert list(known_spans([carried, *known], Period(8, 50), now=45)) == [(8, 20), (40, 45)]


def test_what_is_not_on_the_disk_yet_counts_once() -> None:
    stored = [StoredStay(KEY, "1", "track:0", 10, None)]
    rule = Rule(KEY, "1", GroupId.parse("track:0"), ("storm",), b"{}")
    news = [
        Placement("track:0", [rule], 10),
        Placement("track:0", [], 20),
        Placement("track:0.2", [rule], 20),
    ]
    now = with_news("1", stored, news)
    assert now == [StoredStay(KEY, "1", "track:0", 10, 20), StoredStay(KEY, "1", "track:0.2", 20, None)]
    assert with_news(KEY, now, news) == now == with_news("1", [], news)


pieces = st.lists(
    st.builds(
        lambda place, kind, since, length: piece(place, kind, since, since + length),
        st.sampled_from(PLACES),
        st.sampled_from(["streaming", "gap", "unplanned"]),
        st.integers(0, 40),
        st.integers(1, 20),
    ),
    max_size=12,
)
spans = st.lists(st.tuples(st.integers(0, 20), st.integers(30, 60)), max_size=1)


@settings(deadline=None, max_examples=300)
@given(pieces, spans)
def test_every_second_is_told_of_once_and_streaming_comes_first(
    carried: list[Entry], known: list[tuple[int, int]]
) -> None:
    parts = coverage(carried, known, NOW)
    assert all(one.to_unix <= two.from_unix for one, two in itertools.pairwise(parts))
    for second in range(70):
        kinds = {each.kind for each in carried if each.from_unix <= second < each.to_unix} - {"unplanned"}
        is_known = any(since <= second < until for since, until in known)
        expected = (
            "streaming" if "streaming" in kinds else "gap" if kinds else "uncarried" if is_known else None
        )
        found = next((part.kind for part in parts if part.from_unix <= second < part.to_unix), None)
        assert found == expected
