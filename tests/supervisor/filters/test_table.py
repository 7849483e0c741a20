"""docs/rules.md tells what a value becomes in X's language: compared with the translation itself."""

from __future__ import annotations

import re

import pytest
from support.paths import ROOT

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.supervisor.filters.language.clauses import BoxClause
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.translate import translate

SECTION = (ROOT / "docs" / "rules.md").read_text().partition("## With API v2")[2]


def table(heading: str) -> list[list[str]]:
    """Return the cells of a table by its first heading."""
    rows = SECTION.partition(f"| {heading} |")[2].partition("\n\n")[0].split("\n")[2:]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


MEANINGS = table("type")
BOXES = table("box")


def plain(cell: str) -> str:
    return cell.strip("`|").strip()


@pytest.mark.parametrize("row", MEANINGS, ids=lambda row: f"{row[0]} {row[1]}")
def test_what_the_table_says_of_a_value_is_so(row: list[str]) -> None:
    name, value, clause, told = (*map(plain, row), "")[:4]
    rule_type, _, scope = name.replace("`", "").partition(", ")
    found = translate(RuleType(rule_type), value, FollowScope(scope or "full"))
    assert str(found.clause) == clause
    said = {f"{'lost' if one.is_loss else 'added'}: {one.text}" for one in found.differences}
    assert set(filter(None, told.split("; "))) == said


def test_the_table_has_an_example_of_every_loss_and_extra() -> None:
    shown = " ".join(row[3] for row in MEANINGS if len(row) > 3)
    assert [one.name for one in Difference if one.text not in shown] == []


@pytest.mark.parametrize("row", BOXES, ids=lambda row: row[0])
def test_the_tiles_of_a_box_are_as_many_as_the_table_says(row: list[str]) -> None:
    box, tiles, characters = map(plain, row)
    clause = translate(RuleType.LOCATIONS, box).clause
    assert isinstance(clause, BoxClause)
    assert (len(clause.tiles), len(str(clause))) == (int(tiles), int(characters))


@pytest.mark.parametrize(
    ("scope", "accounts"), [(FollowScope.FULL, 11), (FollowScope.REPLIES, 19), (FollowScope.AUTHOR, 36)]
)
def test_the_accounts_of_a_filter_are_as_many_as_the_page_says(scope: FollowScope, accounts: int) -> None:
    joined = len(str(translate(RuleType.FOLLOW, "1" * 19, scope).clause)) + len(" OR ")
    assert (1024 + len(" OR ")) // joined == accounts
    assert re.search(rf"`{scope}`\s(packs\s)?{accounts}\b", SECTION)
