"""The rules that a worker must know of: those wanted now, and earlier ones that posts may still come for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from traptor.common.filters import Meaning
from traptor.common.rules.rule import Rule
from traptor.common.rules.turnover import turnover

_Values = set[tuple[str, str]]  # a group and one of its values


class ToldRules:
    """Keeps what rules were while a filter at X still stands for it, or did a minute ago. Pure."""

    def __init__(self) -> None:
        self._wanted: tuple[Rule, ...] = ()
        self._earlier: tuple[Rule, ...] = ()

    def want(self, rules: Iterable[Rule]) -> None:
        """Take over what is wanted. Values that nobody wants any more stay with the rules that had them."""
        wanted = tuple(rules)
        changed = turnover(self._wanted, wanted)
        back = {rule.digest for rule in changed.joined}
        left = [*(rule for rule in self._earlier if rule.digest not in back), *changed.left]
        self._earlier, self._wanted = (), wanted
        if left:
            sought = {value for rule in left for value in rule.values}
            still = (rule for rule in wanted if not sought.isdisjoint(rule.values))
            values = {(str(rule.group), value) for rule in still for value in rule.values}
            self._earlier = tuple(one for rule in left if (one := _with(rule, values, wanted=False)).values)

    def forget(self, meanings: Iterable[Sequence[Meaning]]) -> None:
        """Forget earlier rules for which no filter stands any more."""
        if self._earlier:
            sought = {value for rule in self._earlier for value in rule.values}
            of_filters = chain.from_iterable(meanings)
            still = (one for one in of_filters if not sought.isdisjoint(one.values))
            meant = {(one.group, value) for one in still for value in one.values}
            self._earlier = tuple(rule for rule in self._earlier if _with(rule, meant, wanted=True).values)

    def rules(self) -> tuple[Rule, ...]:
        """Return the wanted rules and, after them, the earlier ones."""
        return (*self._wanted, *self._earlier)


def _with(rule: Rule, values: _Values, *, wanted: bool) -> Rule:
    """Return the rule with those of its values that are, or are not, among these."""
    group = str(rule.group)
    kept = tuple(value for value in rule.values if ((group, value) in values) is wanted)
    return rule if kept == rule.values else msgspec.structs.replace(rule, values=kept, digest=0)
