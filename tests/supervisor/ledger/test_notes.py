"""Values of which some are not on disk yet."""

from __future__ import annotations

from traptor.supervisor.ledger.notes import Notes


def test_what_was_stored_is_no_news_and_what_is_put_is_news_until_it_was_written() -> None:
    notes = Notes([("a", "1")])
    assert (notes.get("a"), notes.news()) == ("1", {})
    notes.put("a", "2")
    assert (notes.get("a"), notes.news()) == ("2", {"a": "2"})
    notes.written(notes.news().items())
    assert (notes.get("a"), notes.news()) == ("2", {})


def test_a_value_that_changed_while_it_was_written_is_still_news() -> None:
    notes: Notes[str, list[int]] = Notes()
    notes.put("a", [1])
    batch = notes.news()
    notes.put("a", [1])
    notes.written(batch.items())
    assert notes.news() == {"a": [1]}, "an equal value, but another one"


def test_a_value_that_is_dropped_is_written_and_one_that_is_withdrawn_is_not() -> None:
    notes: Notes[str, str] = Notes()
    for key in "abc":
        notes.put(key, key)
    notes.drop("a")
    notes.keep(lambda key: key != "b")
    notes.withdraw(lambda key: key == "b")
    assert notes.values() == ("c",)
    assert notes.news() == {"a": "a", "c": "c"}
