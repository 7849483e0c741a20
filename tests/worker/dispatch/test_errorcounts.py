"""Errors counted by names that come from outside."""

from __future__ import annotations

from traptor.worker.dispatch.errorcounts import ErrorCounts


def test_names_beyond_the_most_are_counted_together() -> None:
    counts: dict[str, int] = {}
    errors = ErrorCounts(counts)
    for number in range(52):
        errors.add(f"e{number}")
    errors.add("e7")
    assert len(counts) == 51
    assert (counts["e7"], counts["e49"], counts["others"]) == (2, 1, 2)
