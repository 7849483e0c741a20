"""One rule is added as a load of it would, by what a look at each of the others leaves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.rule import GroupId, Limits, RuleType
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.changes.loading import LoadTarget, plan_load
from traptor.rulekit.changes.single import SingleLoad
from traptor.rulekit.changes.wanted import wanted_rule
from traptor.rulekit.sources.row import Row

LIMITS = Limits(follow=10, track=3, locations=2)
VALUES = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=3, unique=True).map(",".join)
NAMES = st.sampled_from([f"r{number}" for number in range(6)])
GROUPS = st.sampled_from(["track:0", "track:1", "track:4", "track:press"])
RULES = st.dictionaries(st.tuples(GROUPS, NAMES), st.tuples(NAMES, VALUES), max_size=10)


@given(rules=RULES, name=NAMES, value=VALUES, group=st.none() | GROUPS)
def test_the_plan_is_that_of_a_load_which_knows_all_rules(
    rules: dict[tuple[str, str], tuple[str, str]], name: str, value: str, group: str | None
) -> None:
    stored = [
        Stored(f"traptor-{of}:{last}", GroupId.parse(of), rule_id, {"rule_id": rule_id, "value": values})
        for (of, last), (rule_id, values) in sorted(rules.items())
    ]
    rule = wanted_rule(Row(1, {"rule_id": name, "value": value}), RuleType.TRACK, LIMITS)
    target = LoadTarget(RuleType.TRACK, LIMITS, GroupId.parse(group) if group else None)
    single = SingleLoad(rule, target)
    kept = [one for one in stored if single.keeps(one)]
    left_out = Counter(one.group for one in stored if one not in kept)
    assert {one.rule_id for one in kept if one.key.split(":")[2] != name} <= {name}
    plan = single.plan(Holdings(tuple(kept), left_out=left_out))
    assert plan == plan_load([rule], Holdings(tuple(stored)), target)
