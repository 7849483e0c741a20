"""`${VAR}` and `${file:PATH}` stand for what they name; what does not exist is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traptor.common.config.report import Position, Problems
from traptor.common.config.source.expansion import Expansion, Value
from traptor.common.config.source.ini import IniValue

ENVIRON = {"NAME": "value", "DOLLAR": "${NAME}", "EMPTY": ""}


@pytest.fixture
def report() -> Problems:
    return Problems()


def expand(text: str, folder: Path, report: Problems) -> Value | None:
    return Expansion(folder, ENVIRON).expand(IniValue(text, Position("t.ini", 3)), report)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}", "avaluebvalue"),
        ("${EMPTY}", ""),
        ("$NAME $ $$ {} $}", "$NAME $ $$ {} $}"),
        ("$${NAME}", "${NAME}"),
        ("$${${NAME}}", "${value}"),
        ("${DOLLAR}", "${NAME}"),  # what was put in place is not looked at again
    ],
)
def test_a_reference_becomes_what_it_names(
    text: str, expanded: str, tmp_path: Path, report: Problems
) -> None:
    value = expand(text, tmp_path, report)
    assert value is not None
    assert value.text == expanded
    assert report.problems == ()


@pytest.mark.parametrize(("text", "is_literal"), [("x", True), ("$${x}", True), ("${NAME}", False)])
def test_a_value_says_whether_it_stands_in_the_ini_itself(
    text: str, is_literal: bool, tmp_path: Path, report: Problems
) -> None:
    value = expand(text, tmp_path, report)
    assert value is not None
    assert value.is_literal is is_literal


def test_a_file_is_read_relative_to_the_ini_without_white_space_around(
    tmp_path: Path, report: Problems
) -> None:
    (tmp_path / "secret").write_text("  from the file\n\n")
    expansion = Expansion(tmp_path, ENVIRON)
    value = expansion.expand(IniValue("<${file:secret}>", Position("t.ini")), report)
    assert value is not None
    assert value.text == "<from the file>"
    assert [file.path for file in value.files] == expansion.paths == [tmp_path / "secret"]


def test_a_missing_file_is_told_and_still_watched(tmp_path: Path, report: Problems) -> None:
    expansion = Expansion(tmp_path, ENVIRON)
    assert expansion.expand(IniValue("${file:nowhere}", Position("t.ini", 3)), report) is None
    (problem,) = report.problems
    assert str(problem) == f"t.ini:3: the file '{tmp_path}/nowhere' cannot be read: No such file or directory"
    assert expansion.paths == [tmp_path / "nowhere"]


def test_a_missing_variable_is_told(tmp_path: Path, report: Problems) -> None:
    assert expand("${NOPE}", tmp_path, report) is None
    assert "the environment has no variable NOPE" in str(report.problems[0])


@pytest.mark.parametrize(
    "text", ["${", "${NAME", "${}", "${1x}", "${a b}", "${a-b}", "${ NAME}", "x${{NAME}}"]
)
def test_a_reference_that_is_none_is_told(text: str, tmp_path: Path, report: Problems) -> None:
    assert expand(text, tmp_path, report) is None
    assert "must be ${NAME} or ${file:PATH}" in str(report.problems[0])


@pytest.mark.parametrize("name", ["", ".", "a\0b", "pipe", "binary"])
def test_what_is_no_text_file_is_told(name: str, tmp_path: Path, report: Problems) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert expand(f"${{file:{name}}}", tmp_path, report) is None
    assert len(report.problems) == 1


BYTES = os.fsdecode(b"caf\xe9")  # Latin-1, as a process gets it from its environment


def test_a_variable_that_is_not_utf_8_is_told_by_its_name_alone(tmp_path: Path, report: Problems) -> None:
    expansion = Expansion(tmp_path, {"BAD": BYTES, "GOOD": "café"})
    assert expansion.expand(IniValue("x${GOOD}", Position("t.ini", 3)), report) is not None
    assert expansion.expand(IniValue("x${BAD}", Position("t.ini", 3)), report) is None
    assert [str(problem) for problem in report.problems] == [
        "t.ini:3: the variable BAD is not UTF-8 text; set it to text in UTF-8"
    ]


def test_utf_8_is_read_as_such_in_a_locale_that_is_not(
    tmp_path: Path, report: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("ascii", "surrogateescape"))
    environ = {"GOOD": "café".encode().decode("ascii", "surrogateescape")}
    value = Expansion(tmp_path, environ).expand(IniValue("${GOOD}", Position("t.ini", 3)), report)
    assert value is not None
    assert value.text == "café"
