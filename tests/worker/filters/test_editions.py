"""Changes of rules while posts for the old and the new come."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.making_posts import head_of, packed, post_fields, post_line, single
from support.making_tweets import rule

from traptor.common.errors import ProtocolError
from traptor.common.filters import Meaning
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Rules
from traptor.common.pieces import change_to, cut
from traptor.common.rules.rule import Rule
from traptor.worker.filters.attribution import RuleSource
from traptor.worker.filters.editions import KNOWN_AFTER_S, Editions

OLD, NEW = rule("track:0", "r", "storm"), rule("track:0", "r", "flood")
BOTH = (single("1", "track:0", "storm"), single("2", "track:0", "flood"))


def opened(rules: Sequence[Rule], meanings: Sequence[Meaning]) -> Editions:
    editions = Editions(tuple(rules), tuple(meanings))
    editions.open()
    return editions


def tell(editions: Editions, now: float, rules: Sequence[Rule], meanings: Sequence[Meaning]) -> None:
    change = change_to(Knowledge.of(rules, meanings), editions.told)
    editions.replace(change, editions.change + 1, now)


def found(editions: Editions, text: str, *filters: str) -> tuple[RuleSource, list[tuple[str, ...]]]:
    line = post_line(post_fields(text), *filters)
    attribution = editions.now.attribute(head_of(line), line)
    return attribution.source, [editions.now.rules[index].values for index in attribution.rules]


def test_during_a_change_each_post_goes_to_what_its_filter_stood_for() -> None:
    editions = opened([OLD], BOTH[:1])
    tell(editions, 100.0, (NEW,), BOTH)
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])
    assert found(editions, "", "2") == (RuleSource.MATCHED, [("flood",)])
    assert found(editions, "", "1", "2") == (RuleSource.MATCHED, [("flood",)])  # one rule: as it is now


def test_the_same_in_packed_filters() -> None:
    other = rule("track:0", "o", "hail")
    editions = opened([OLD, other], [packed("1", "track:0", ("storm", "hail"))])
    tell(editions, 100.0, (NEW, other), (packed("1", "track:0", ("storm", "hail")), BOTH[1]))
    assert found(editions, "a storm", "1") == (RuleSource.MATCHED, [("storm",)])
    assert found(editions, "hail storm", "1") == (RuleSource.MATCHED, [("storm",), ("hail",)])
    assert found(editions, "hail storm", "1", "2") == (RuleSource.MATCHED, [("flood",), ("hail",)])


def test_a_filter_that_is_gone_is_known_for_a_minute_and_not_for_ever() -> None:
    editions = opened([OLD], BOTH[:1])
    tell(editions, 100.0, (NEW,), BOTH[1:])
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])
    tell(editions, 100.0 + KNOWN_AFTER_S - 1, (NEW,), BOTH[1:])
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])
    tell(editions, 100.0 + KNOWN_AFTER_S, (NEW,), BOTH[1:])
    assert found(editions, "", "1") == (RuleSource.FOREIGN, [])
    assert editions.now.rules == (NEW,)


def test_a_filter_that_comes_back_is_known_as_long_as_it_is_there() -> None:
    editions = opened([OLD], BOTH[:1])
    tell(editions, 100.0, (), ())
    tell(editions, 110.0, (OLD,), BOTH[:1])
    tell(editions, 300.0, (OLD,), BOTH[:1])
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])
    tell(editions, 310.0, (), ())
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])


def test_a_rule_whose_value_is_wanted_by_another_rule_goes_at_once() -> None:
    other = rule("track:0", "o", "storm", "wind")
    editions = opened([OLD, other], BOTH[:1])
    tell(editions, 100.0, (NEW, other), BOTH)
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm", "wind")])


def test_a_rule_told_in_two_forms_counts_once_and_as_the_first() -> None:
    editions = opened([NEW, OLD], BOTH)
    assert found(editions, "", "1") == (RuleSource.MATCHED, [("storm",)])
    assert found(editions, "", "1", "2") == (RuleSource.MATCHED, [("flood",)])


def test_a_rule_that_only_changed_its_fields_is_delivered_as_it_is_now() -> None:
    retagged = rule("track:0", "r", "storm", tag="another")
    editions = opened([OLD], BOTH[:1])
    tell(editions, 100.0, (retagged,), BOTH[:1])
    assert editions.now.rules == (retagged,)


def test_a_change_is_in_force_with_its_last_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traptor.common.pieces.PIECE_BYTES", 20)
    editions = opened([OLD], BOTH[:1])
    *before, last = cut(1, change_to(Knowledge.of((NEW,), BOTH), editions.told))
    assert before
    assert not any(map(editions.take, before))
    assert (editions.change, editions.now.rules) == (0, (OLD,))
    assert editions.take(last)
    assert (editions.change, editions.now.rules) == (1, (NEW, OLD))
    with pytest.raises(ProtocolError):
        editions.take(Rules(1, 1, True, b""))


def test_a_change_keeps_the_rules_that_are_there() -> None:
    other = rule("track:0", "o", "hail")
    editions = opened([OLD], BOTH[:1])
    tell(editions, 100.0, (other, OLD), BOTH)
    assert editions.now.rules == (other, OLD)
    assert editions.now.rules[1] is OLD
    of_another = change_to(Knowledge.of((OLD, NEW), ()), Knowledge.of((other, NEW, OLD), ()))
    with pytest.raises(ProtocolError, match="never came"):
        editions.replace(of_another, 2, 100.0)


def test_where_only_filters_change_the_rules_are_those_told_last() -> None:
    other = rule("track:0", "o", "hail")
    editions = opened([OLD], BOTH[:1])
    rules = editions.now.rules
    tell(editions, 100.0, (OLD,), BOTH)
    assert editions.now.rules is rules
    tell(editions, 100.0, (NEW,), BOTH)
    tell(editions, 100.0 + KNOWN_AFTER_S, (NEW,), BOTH[1:])
    assert editions.now.rules == (NEW, OLD)  # its filter is known for another minute
    tell(editions, 100.0 + 2 * KNOWN_AFTER_S, (NEW, other), BOTH[1:])
    assert editions.now.rules == (NEW, other)


def test_a_change_that_comes_before_the_start_is_over_is_kept() -> None:
    editions = Editions((OLD,), BOTH[:1])
    tell(editions, 100.0, (NEW,), BOTH[1:])
    editions.open()
    assert editions.now.rules == (NEW,)


def test_each_filter_is_told_of_once_when_a_post_first_names_it() -> None:
    editions = opened([OLD], BOTH[:1])
    for _ in range(2):
        editions.note([head_of(post_line(post_fields(), "1", "99"))])
    assert editions.newly_seen() == ("1",)
    assert not editions.unseen
    tell(editions, 100.0, (NEW,), BOTH)
    assert editions.unseen
    editions.note([head_of(post_line(post_fields(), "1", "2"))])
    assert editions.newly_seen() == ("2",)
    assert editions.newly_seen() == ()
