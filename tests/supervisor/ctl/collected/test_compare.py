"""Two files of posts are compared by what must be the same in both forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from traptor.supervisor.ctl.cli import main

RULES = {"collection_rules": [{"rule_id": "2"}, {"rule_id": "1"}]}


def native(post_id: str, text: str = "a storm", **more: Any) -> dict[str, Any]:
    about = {"id": post_id, "text": text, "author_id": "7", "created_at": "2026-09-23T10:00:00.250Z"}
    return {"data": {**about, **more}, "traptor": RULES}


def old(post_id: str, text: str = "a storm", **more: Any) -> dict[str, Any]:
    about = {"id_str": post_id, "text": text, "user": {"id_str": "7"}}
    return {**about, "created_at": "Wed Sep 23 10:00:00 +0000 2026", "traptor": RULES, **more}


def run(folder: Path, one: list[Any], other: list[Any], *options: str) -> tuple[int, str]:
    for name, lines in (("one", one), ("other", other)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    paths = [str(folder / "one"), str(folder / "other")]
    found = CliRunner().invoke(main, ["compare", *paths, *options])
    return found.exit_code, found.output.replace(f"{folder}/", "")


def test_the_same_posts_in_two_forms_do_not_differ(tmp_path: Path) -> None:
    long = (
        native("2", "cut", note_tweet={"text": "the whole"}),
        old("2", "cut", extended_tweet={"full_text": "the whole"}),
    )
    code, output = run(tmp_path, [native("1"), long[0], {"delete": {}}], [long[1], old("1")])
    assert (code, output) == (0, "2 posts in both files, 0 differences\n")


def test_each_difference_is_named_by_its_post(tmp_path: Path) -> None:
    other_rules = {"collection_rules": [{"rule_id": "1"}]}
    code, output = run(
        tmp_path,
        [native("1"), native("2"), native("3", "x"), native("4")],
        [old("2", traptor=other_rules), old("3", user=None), old("4"), old("5")],
    )
    assert code == 1
    assert output.splitlines() == [
        "1: only in one",
        "2: rules",
        "3: author, text",
        "5: only in other",
        "3 posts in both files, 4 differences",
    ]


def test_it_prints_json_for_scripts(tmp_path: Path) -> None:
    code, output = run(tmp_path, [native("1")], [old("1", "y"), old("2")], "--json")
    found = json.loads(output)
    assert (code, found["both"]) == (1, 1)
    assert [(one["post"], one["parts"]) for one in found["differences"]] == [("1", ["text"]), ("2", [])]


def test_lines_that_are_no_posts_are_left_out(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text('{"data": 5}\n[]\n\n{"id_str"')
    other.write_text('{"created_at": "yesterday", "id_str": "1"}\n')
    found = CliRunner().invoke(main, ["compare", str(one), str(other)])
    assert (found.exit_code, found.output) == (0, "0 posts in both files, 0 differences\n")
