"""docs/sandbox.md lists the operators as the sandbox takes them."""

import re

from support.paths import ROOT

from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.operators import OPERATORS
from traptor.sandbox.v2.language.rule import parse_rule

ARGUMENTS = (
    "12",
    "media",
    "reply",
    "en",
    "NO",
    "1.2",
    "[10.6 59.8 10.9 60.1]",
    "[10.6 59.8 5km]",
)


def listed(row):
    line = next(line for line in (ROOT / "docs/sandbox.md").read_text().splitlines() if line.startswith(row))
    return set(re.findall(r"`([a-z_]+):`", line))


def is_taken(value):
    try:
        parse_rule(value)
    except InvalidRule:
        return False
    return True


def test_the_operators_are_listed_by_whether_they_may_stand_alone():
    alone, beside, nothing = map(listed, ("| may stand", "| need one", "| are taken"))
    assert alone | beside | nothing == set(OPERATORS)
    for name in OPERATORS:
        taken = [argument for argument in ARGUMENTS if is_taken(f"storm {name}:{argument}")]
        assert taken, name
        assert is_taken(f"{name}:{taken[0]}") is (name not in beside), name
        if name in nothing:
            assert not parse_rule(f"{name}:{taken[0]}").matches(Facts("1", ()))
