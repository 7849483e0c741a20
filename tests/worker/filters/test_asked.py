"""Found posts are attributed by what their query stands for."""

from __future__ import annotations

import pytest
from support.making_posts import head_of, packed, post_fields, post_line, single
from support.making_tweets import rule

from traptor.common.filters import Meaning
from traptor.worker.filters.asked import AskedQuery
from traptor.worker.filters.attribution import RuleSource
from traptor.worker.filters.edition import Edition

RULES = (rule("track:0", "storm", "storm"), rule("track:0", "hail", "hail"))
STORM, BOTH = single("1", "track:0", "storm"), packed("query", "track:0", ("storm", "hail"))
EDITION = Edition(RULES, (), (STORM,))


@pytest.mark.parametrize(
    ("meanings", "text", "rules"),
    [((STORM,), "nothing of it", ["storm"]), ((BOTH,), "hail", ["hail"]), ((), "hail", [])],
)
def test_a_post_names_the_filter_of_its_query(
    meanings: tuple[Meaning, ...], text: str, rules: list[str]
) -> None:
    line = post_line(post_fields(text))
    query = AskedQuery.of(EDITION, meanings)
    head, found = query.attribute(head_of(line), line)
    assert [RULES[index].rule_id for index in found.rules] == rules
    assert [one.id for one in head.matching_rules or ()] == [one.filter_id for one in meanings]
    assert (found.source is RuleSource.MATCHED) is bool(rules)


def test_it_stands_as_long_as_the_edition_and_the_meanings_do() -> None:
    query = AskedQuery.of(EDITION, (STORM,))
    assert query.is_of(EDITION, (STORM,))
    assert not query.is_of(EDITION, (BOTH,))
    assert not query.is_of(Edition(RULES, (), (STORM,)), (STORM,))
