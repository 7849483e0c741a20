"""Counters: sums, and all counts under one name each."""

from __future__ import annotations

from traptor.common.counts import Counters, added, flat


def test_counters_add_up_kind_by_kind() -> None:
    one = Counters(received=1, other={"delete": 2}, reads={"posts": 3}, foreign=1)
    two = Counters(received=4, dead_letters=1, other={"delete": 1, "limit": 1}, errors={"InternalError": 1})
    assert added(one, two) == Counters(
        received=5,
        dead_letters=1,
        foreign=1,
        other={"delete": 3, "limit": 1},
        reads={"posts": 3},
        errors={"InternalError": 1},
    )


def test_flat_counts_name_each_kind() -> None:
    counts = flat(Counters(received=1, other={"delete": 2}, reads={"posts": 3}))
    assert counts["received"] == 1
    assert (counts["other.delete"], counts["reads.posts"]) == (2, 3)
    assert set(counts) - set(Counters.__struct_fields__) == {"other.delete", "reads.posts"}
