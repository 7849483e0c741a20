"""Ids come out of lists and of collected tweets in every form, and what has none is named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from traptor.common.errors import TraptorError
from traptor.supervisor.ctl.collected.idlist import gathered
from traptor.supervisor.ctl.collected.ids import FoundId, ids_in
from traptor.supervisor.xapi.compliance import JobType

NATIVE = {"data": {"id": "11", "author_id": "7", "text": "x"}, "traptor": {}}
OLD = {"id": 12, "id_str": "12", "user": {"id": 8, "id_str": "8"}, "text": "x"}
NUMBER_ONLY = {"id": 13, "user": {"id": 9}}
USER = {"id": "10", "username": "ada"}
OF_LOOKUP = {"data": {"id": "10", "username": "ada"}}


def lines(folder: Path, *items: object) -> Path:
    path = folder / "ids"
    text = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("\n".join(text) + "\n")
    return path


@pytest.mark.parametrize(
    ("item", "tweet", "user"),
    [
        ("17", "17", "17"),
        ("  17\r", "17", "17"),
        (NATIVE, "11", "7"),
        (OLD, "12", "8"),
        (NUMBER_ONLY, "13", "9"),
        (USER, "10", "10"),
        (OF_LOOKUP, "10", "10"),
    ],
)
def test_the_id_of_a_tweet_and_of_its_author(tmp_path: Path, item: object, tweet: str, user: str) -> None:
    path = lines(tmp_path, item)
    assert list(ids_in(path, JobType.TWEETS)) == [FoundId(1, tweet)]
    assert list(ids_in(path, JobType.USERS)) == [FoundId(1, user)]


def test_messages_of_the_stream_are_about_no_tweet_of_the_file(tmp_path: Path) -> None:
    others = [{"delete": {"status": {"id": 1}}}, {"limit": {"track": 1}}, {"warning": {}}]
    assert [one[1:] for one in ids_in(lines(tmp_path, *others), JobType.TWEETS)] == [("", "")] * 3


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("x1", "no id"),
        ("1 2", "no id"),
        ("-1", "no id"),
        ("1" * 20, "no id"),
        ("١٢", "no id"),
        ('{"id": "1"', "not JSON"),
        ({"text": "x"}, "no id"),
        ({"id": None}, "no id"),
        ({"id": True}, "no id"),
        ({"data": {"text": "x"}}, "no id"),
        ("[1]", "no id"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, item: object, problem: str) -> None:
    path = lines(tmp_path, "1", "", item, "2")
    assert list(ids_in(path, JobType.TWEETS)) == [FoundId(1, "1"), FoundId(3, "", problem), FoundId(4, "2")]


def test_the_list_has_an_id_a_line_and_bad_lines_are_said_the_first_ones_by_number(tmp_path: Path) -> None:
    said: list[str] = []
    path = lines(tmp_path, NATIVE, OLD, *(["x"] * 25), {"limit": {}}, "13")
    with gathered(path, JobType.TWEETS, said.append) as ids:
        ids.file.seek(0)
        assert ids.file.read() == b"11\n12\n13\n"
        assert (ids.count, ids.bad) == (3, 25)
    assert said[0] == f"{path}:3: no id"
    assert said[-1] == f"{path}: 5 more lines without an id"
    assert len(said) == 21
    assert ids.file.closed


def test_what_does_not_fit_into_a_job_is_left_to_the_next_one_and_nothing_is_left_out(tmp_path: Path) -> None:
    path = lines(tmp_path, *(str(number) for number in range(10_000, 10_010)), "x", "10010")
    found: list[tuple[int, int, int | None]] = []
    ids, line = b"", 1
    while line is not None:
        with gathered(path, JobType.TWEETS, lambda _: None, line, most_bytes=24) as part:
            part.file.seek(0)
            ids += part.file.read()
        found.append((part.count, part.bad, part.rest))
        line = part.rest
    assert found == [(4, 0, 5), (4, 0, 9), (3, 1, None)]
    assert ids.split() == [str(number).encode() for number in range(10_000, 10_011)]


def test_a_file_without_ids_or_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    empty = pytest.raises(TraptorError, match="no ids: give a file with")
    with empty, gathered(lines(tmp_path, "x"), JobType.TWEETS, lambda _: None):
        pass
    with pytest.raises(TraptorError, match="cannot be read: Is a directory"):
        list(ids_in(tmp_path, JobType.TWEETS))
