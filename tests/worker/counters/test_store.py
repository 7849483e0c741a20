"""What is counted once, and sent once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from support.making_tweets import rule

from traptor.worker.counters.batches import Unsent
from traptor.worker.counters.tick import Tick
from traptor.worker.filters.attribution import Attribution, RuleSource

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)).map(Counter)


@given(st.lists(st.tuples(COUNTS, st.booleans(), st.booleans())))
def test_whatever_is_lost_on_the_way_every_count_is_added_once(
    ticks: list[tuple[Counter[str], bool, bool]],
) -> None:
    """A server that knows the number of the last batch, and a network that loses requests and answers."""
    unsent, server, last = Unsent(), Counter[str](), 0
    for counts, request_lost, answer_lost in [*ticks, (Counter[str](), False, False)]:
        unsent.later.update(counts)
        while batch := unsent.next_batch():
            if request_lost:
                break
            if unsent.number != last:
                server.update(batch)
                last = unsent.number
            if answer_lost:
                break
            unsent.was_taken()
    assert server == sum((counts for counts, _, _ in ticks), Counter[str]())


def found(*rules: int) -> Attribution:
    return Attribution(RuleSource.MATCHED if rules else RuleSource.UNATTRIBUTED, rules)


def test_a_ticks_totals_name_rules_and_leave_zeros_out() -> None:
    tick = Tick(0.0, received=5, matched=2, matches={0: 2, 1: 1})
    rules = [rule("track:0", "a", "x"), rule("track:0", "b", "x")]
    assert tick.totals("track:0", rules) == {
        "track:0": {"track:0:a": 2, "track:0:b": 1, "received": 5, "matched": 2}
    }


def test_rules_of_several_groups_are_counted_under_their_groups_while_they_change() -> None:
    before = (rule("track:0", "a", "x"), rule("follow:a", "b:c", "12"))
    after = (rule("follow:a", "b:c", "13"), rule("track:0", "d", "y"))
    tick = Tick(0.0, received=9)
    tick.part(before).tweets.update({found(0): 2, found(0, 1): 1, found(): 3})
    tick.part(after).tweets.update({found(0): 1, found(0, 1): 1, found(0, 1): 1})
    assert tick.totals("v2:one", ()) == {
        "v2:one": {"received": 9, "matched": 6},
        "track:0": {"track:0:a": 3, "track:0:d": 2, "matched": 5},
        "follow:a": {"follow:a:b:c": 4, "matched": 4},
    }
