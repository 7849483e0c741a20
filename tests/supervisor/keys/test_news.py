"""The news of keys: each reader takes note of a change once, whatever the others have taken."""

from __future__ import annotations

from traptor.supervisor.keys.news import News


def test_a_changed_key_is_told_to_each_reader_once() -> None:
    news = News()
    news.changed("k1")
    assert news.take_untold(0.0) == ({"k1"}, False)
    assert news.take_untold(0.0) == (set(), False)
    assert news.take_unranked() == ["k1"]
    assert news.take_unranked() == []
    assert news.take_untimed(0.0) == ["k1"]


def test_a_key_that_was_only_used_is_no_news_for_its_holders() -> None:
    news = News()
    news.used("k1")
    assert news.take_untold(0.0) == (set(), False)
    assert (news.take_unranked(), news.take_untimed(0.0)) == (["k1"], ["k1"])


def test_a_change_by_time_alone_is_relief_when_its_time_has_come() -> None:
    news = News()
    news.changes_at("k1", 5.0)
    news.trial_due(3.0)
    assert news.next_change == 3.0
    assert news.take_untold(2.9) == (set(), False)
    assert news.take_untold(3.0) == (set(), True), "a move may be worthwhile now"
    assert news.next_change == 5.0
    assert news.take_untold(5.0) == ({"k1"}, True)
    assert news.next_change is None


def test_when_all_changed_the_times_of_before_are_void() -> None:
    news = News()
    news.changes_at("gone", 5.0)
    news.all_changed(["k1"])
    assert news.next_change is None
    assert news.take_untold(9.0) == ({"k1"}, True)
