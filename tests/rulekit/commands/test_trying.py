"""`rules try` counts what a rule would have found among recent tweets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.making_tweets import tweet_fields
from support.rulekit_desk import Desk

from traptor.supervisor.ctl.cli import main as ctl


@pytest.fixture
def tweets(desk: Desk) -> Path:
    """The output of a collection: seven tweets, a notice, and half a line."""
    folder = desk.folder / "out"
    folder.mkdir()
    lines = [json.dumps(tweet_fields(f"number {n}: a Flood in town")) for n in range(6)]
    lines += [json.dumps(tweet_fields("sun\x1b[31m")), '{"delete": {}}', '{"id_str']
    (folder / "track:0.jsonl").write_text("\n".join(lines))
    return folder


def attempt(desk: Desk, *words: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(ctl, ["-c", str(desk.ini), "rules", "try", *words])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def told(desk: Desk, *words: str) -> Any:
    return json.loads(attempt(desk, *words, "--json").stdout)


@pytest.mark.usefixtures("tweets")
def test_matches_are_counted_and_five_are_shown(desk: Desk) -> None:
    found = told(desk, "flood town,storm")
    assert (found["seen"], found["matched"], len(found["texts"])) == (7, 6, 5)
    assert found["texts"][-1] == "number 5: a Flood in town"
    assert (told(desk, "flood", "--hashtag")["matched"], told(desk, "zzz")["matched"]) == (0, 0)
    shown = attempt(desk, "sun").stdout
    assert "1 match in 7 tweets" in shown
    assert "\x1b[31m" not in shown


def test_posts_of_v2_are_matched_too(desk: Desk, tweets: Path) -> None:
    post = {"data": {"id": "20", "text": "a flood", "author_id": "7"}, "matching_rules": [{"id": "1"}]}
    (tweets / "v2:one.jsonl").write_text(json.dumps(post) + "\n")
    found = told(desk, "a flood")
    assert (found["seen"], found["matched"]) == (8, 7)


@pytest.mark.usefixtures("tweets")
def test_a_value_that_cannot_be_a_rule_is_said(desk: Desk) -> None:
    assert "61 bytes" in attempt(desk, "x" * 61, exit_code=1).stderr


def test_without_files_and_supervisor_there_is_nothing_to_try_on(desk: Desk) -> None:
    said = attempt(desk, "flood", exit_code=3).stderr
    assert "no output files" in said
    assert "no supervisor runs there; start one" in said
    assert "output is jsonl:DIR" in said
