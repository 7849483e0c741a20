"""Bytes that are no text are refused where they stand, whichever option they are for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.configuration import KEY, MINIMAL, Configuration

from traptor.common.config.keys.draft import MEMBERS
from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.settings import load_sections

BYTES = os.fsdecode(b"x\xff")
LIBRARY = ("client.id", "sasl.password", "ssl.ca.location")
PLACES = [
    *((option.section, option.key) for option in OPTIONS),
    *(("kafka", name) for name in LIBRARY),
    *(("key:another", member) for member in MEMBERS),
]


def ini(section: str, key: str, value: str) -> str:
    """An ini with an option of a section, in the last line."""
    if section != "traptor":
        return f"{KEY}{MINIMAL}[{section}]\n{key} = {value}\n"
    return f"{KEY}{MINIMAL if key != 'output' else '[traptor]'}\n{key} = {value}\n"


@pytest.mark.parametrize(("section", "key"), PLACES)
@pytest.mark.parametrize("value", ["${BAD}", "a${BAD}b", "jsonl:${BAD}", "https://${BAD}@host/"])
def test_a_variable_of_such_bytes_is_one_problem_with_its_place(
    config: Configuration, section: str, key: str, value: str
) -> None:
    text = ini(section, key, value)
    problems = config.problems(text, BAD=BYTES)
    place = f"traptor.ini:{text.count(chr(10))} [{section}] {key}"
    assert f"{place}: the variable BAD is not UTF-8 text; set it to text in UTF-8" in problems
    assert all("xff" not in problem and problem.encode() for problem in problems)
    load_sections(config.ini, {"BAD": BYTES})


@pytest.mark.parametrize(("section", "key"), [("kafka", "client.id"), ("redis", "url"), ("key:k", "proxy")])
def test_a_file_of_such_bytes_is_one_problem_with_its_place(
    config: Configuration, section: str, key: str
) -> None:
    config.write("bad", b"x\xff")
    text = ini(section, key, "${file:bad}")
    place = f"traptor.ini:{text.count(chr(10))} [{section}] {key}"
    assert f"{place}: the file 'bad' is not UTF-8 text here; save it as UTF-8" in config.problems(text)


def test_a_key_file_that_escapes_half_a_character_is_a_problem(config: Configuration) -> None:
    config.write("keys.yml", 'apikeys:\n  - consumer_key: "\\uD800"\n    name: "\\uD800"\n')
    for problem in config.problems(f"{MINIMAL}[keys]\nfile = keys.yml\n"):
        assert problem.encode()


def test_an_ini_in_a_folder_with_such_a_name_is_refused(tmp_path: Path) -> None:
    """Relative paths lie there, and the outbox's LMDB, messages and the status take text only."""
    folder = tmp_path / BYTES
    folder.mkdir()
    [problem] = Configuration(folder).problems(MINIMAL + KEY)
    said = "lies in a folder whose name is not text here (utf-8); rename the folder, or move the ini"
    assert problem.endswith(f"traptor.ini: {said}")
