"""Whatever the files hold, reading them gives settings or a ConfigError."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.settings import load_settings
from traptor.common.errors import ConfigError

ENVIRON = {"VAR": "value", "EMPTY": ""}

NAMES = sorted(
    {option.key for option in OPTIONS} | {"consumer_key", "access_token", "proxy", "source_address", "zzz"}
)
SECTIONS = ["traptor", "supervisor", "redis", "twitter", "logging", "keys", "key:a", "key:", "DEFAULT", "x y"]
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from([option.sample for option in OPTIONS]),
    st.sampled_from(
        ["jsonl:-", "${VAR}", "${file:keys.yml}", "keys.yml", "::1", "http://[", "redis://:@:1/", "1e9s", "-"]
    ),
)
LINES = st.one_of(
    st.builds("[{}]".format, st.sampled_from(SECTIONS)),
    st.builds("{} = {}".format, st.sampled_from(NAMES), VALUES),
    st.builds("  {}".format, VALUES),
    st.text(max_size=20),
)
INIS = st.one_of(
    st.lists(LINES, max_size=15).map("\n".join).map(lambda text: text.encode(errors="replace")),
    st.binary(max_size=60),
)

WORDS = [
    "apikeys:",
    "name: ",
    "consumer_key: ",
    "a",
    "yes",
    "12",
    "%YAML 9.9\n",
    "---\n",
    "...\n",
    "!<x> ",
    "<<: ",
]
MARKS = [
    "\n",
    "\n- ",
    "\n  ",
    ": ",
    "? ",
    "| ",
    "> ",
    "'",
    '"',
    "[",
    "]",
    "{",
    "}",
    "#",
    "\t",
    "\\x",
    "\\UFFFFFFFF",
]
PIECES = st.sampled_from([*WORDS, *MARKS, "&a ", "*a ", "!vault ", "!!int "])
KEY_FILES = st.one_of(
    st.lists(PIECES, max_size=20).map("".join).map(str.encode),
    st.lists(PIECES, max_size=8).map(lambda pieces: f"apikeys:\n- name: {''.join(pieces)}".encode()),
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: text.encode(errors="replace")),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def load(folder: Path, ini: bytes, key_file: bytes) -> None:
    (folder / "traptor.ini").write_bytes(ini)
    (folder / "keys.yml").write_bytes(key_file)
    try:
        load_settings(folder / "traptor.ini", ENVIRON)
    except ConfigError as error:
        assert error.problems
        assert all(problem.where and problem.message for problem in error.problems)
        assert "\n" not in "".join(map(str, error.problems))


@given(ini=INIS)
def test_any_ini_is_read_or_refused(folder: Path, ini: bytes) -> None:
    load(folder, ini, b"apikeys: []")


@given(key_file=KEY_FILES)
def test_any_key_file_is_read_or_refused(folder: Path, key_file: bytes) -> None:
    load(folder, b"[traptor]\noutput = jsonl:-\n[keys]\nfile = keys.yml\n", key_file)
