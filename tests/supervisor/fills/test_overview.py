"""Which fills the status shows."""

from __future__ import annotations

from traptor.common.config.sections.twitter import TwitterSection
from traptor.common.fills import FillMethod
from traptor.supervisor.fills.overview import overview
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.ledger.fills import FillBook


def test_what_was_given_up_is_shown_however_many_fills_follow() -> None:
    book = FillBook(None)
    for number in range(40):
        fill = Fill(number, "v2:app", number, number + 1.0, FillMethod.SEARCH).begun(1, 0.0)
        book.put(fill.given_up("no access", 0.0) if number in (3, 5, 30) else fill.fetched(""))
    found = overview(TwitterSection(), book, {}, 0.0)
    assert found["states"] == {"waiting": 0, "running": 0, "done": 37, "given_up": 3}
    shown = overview(TwitterSection(), book, {}, 0.0)["fills"]
    assert [one["id"] for one in shown] == [5, *range(20, 40)]
