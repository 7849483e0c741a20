"""The choice of the key to lend: each key is ranked once a moment, and anew when it changes."""

from __future__ import annotations

from traptor.supervisor.keys.choice import KeyChoice, Rank
from traptor.supervisor.keys.news import News

KEYS = ("k1", "k2")


class Ranked:
    """Two keys, of which a test sets how long each would wait; None: no free slot."""

    def __init__(self) -> None:
        self.news = News()
        self.choice = KeyChoice(self._rank, self.news)
        self.waits: dict[str, float | None] = {"k1": 0.0, "k2": 1.0}
        self.asked: list[str] = []

    def best(self, now: float) -> str | None:
        self.asked.clear()
        return self.choice.best(KEYS, now)

    def _rank(self, key_id: str, now: float) -> Rank | None:
        self.asked.append(key_id)
        wait = self.waits[key_id]
        return None if wait is None else Rank(now + wait, False, 0, -5, key_id, key_id)


def test_within_a_moment_only_what_changed_is_ranked_again() -> None:
    ranked = Ranked()
    assert (ranked.best(7.0), ranked.asked) == ("k1", ["k1", "k2"])
    assert (ranked.best(7.0), ranked.asked) == ("k1", [])
    ranked.waits["k1"] = 2.0
    ranked.news.used("k1")
    assert (ranked.best(7.0), ranked.asked) == ("k2", ["k1"])


def test_at_another_moment_all_are_ranked_again() -> None:
    ranked = Ranked()
    ranked.best(7.0)
    ranked.waits["k1"] = None
    assert (ranked.best(8.0), ranked.asked) == ("k2", ["k1", "k2"])


def test_what_is_to_be_avoided_or_gone_is_not_chosen_and_what_has_a_slot_again_is() -> None:
    ranked = Ranked()
    ranked.waits = {"k1": 0.0, "k2": 0.0}
    assert ranked.choice.best(KEYS, 7.0, avoid={"k1"}) == "k2"
    assert ranked.choice.best(("k2",), 7.0) == "k2"
    for wait, chosen in ((None, "k2"), (0.0, "k1"), (2.0, "k2")):
        ranked.waits["k1"] = wait
        ranked.news.used("k1")
        assert ranked.best(7.0) == chosen


def test_where_no_key_has_a_free_slot_none_is_chosen() -> None:
    ranked = Ranked()
    ranked.waits = {"k1": None, "k2": None}
    assert ranked.best(7.0) is None
