"""Text of others, as people see it."""

from __future__ import annotations

import json
import unicodedata

import orjson
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.text import counted, one_line, safe_json


@given(st.text())
def test_it_is_one_line_without_anything_that_steers_a_terminal(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not [char for char in shown if unicodedata.category(char) == "Cc"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_what_harms_nobody_stays() -> None:
    text = r"#می‌خواهم 日本 :smile: [red]x[/] 🦠 \n"
    assert one_line(text) == text


def test_the_rest_is_shown_as_escapes() -> None:
    assert one_line("a\nb\tc\x1b[31m\x9b\u2028\u202e") == r"a\nb\tc\x1b[31m\x9b\u2028\u202e"


@given(st.recursive(st.text(), lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside)))
def test_json_stays_the_same_without_anything_that_steers_a_terminal(value: object) -> None:
    shown = safe_json(orjson.dumps(value))
    assert json.loads(shown) == value
    text = shown.decode()
    assert len(text.splitlines()) == 1
    assert not [char for char in text if unicodedata.category(char) == "Cc"]
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_a_message_that_is_no_json_stays_but_for_what_steers_a_terminal() -> None:
    assert safe_json("a\x1b[31m\x9b\tb".encode() + b"\xff") == rb"a\u001b[31m\u009b" + b"\tb\xff"


def test_a_noun_agrees_with_its_number() -> None:
    told = [counted(number, "key") for number in (0, 1, 2, 5_852)]
    assert told == ["0 keys", "1 key", "2 keys", "5,852 keys"]
