"""How a record looks as text and as JSON."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.logs.event import fields
from traptor.common.logs.format import formatter
from traptor.common.logs.mask import SecretMask

NAMES = st.from_regex("[a-z_]{1,12}", fullmatch=True)
VALUES = st.none() | st.text() | st.integers() | st.floats() | st.booleans()


def record(message: str, *args: object, extra: dict[str, object] | None = None) -> logging.LogRecord:
    made = logging.LogRecord("traptor.worker", logging.INFO, "file.py", 1, message, args, None)
    made.created, made.msecs = 1_795_514_400.123, 123.0  # 2026-11-24T10:00:00.123Z
    made.__dict__.update(extra or {})
    return made


def text(one: logging.LogRecord, *secrets: str) -> str:
    return formatter("text", SecretMask(secrets)).format(one)


def members(one: logging.LogRecord, *secrets: str) -> dict[str, object]:
    return json.loads(formatter("json", SecretMask(secrets)).format(one))


def of_worker(one: logging.LogRecord) -> logging.LogRecord:
    one.worker, one.gen, one.process = "track:0", 3, 123
    return one


def with_exception(one: logging.LogRecord, error: str) -> logging.LogRecord:
    try:
        raise ValueError(error)
    except ValueError:
        one.exc_info = sys.exc_info()
    return one


def test_a_workers_line_says_when_who_what_and_the_fields() -> None:
    line = text(of_worker(record("stream connected", extra=fields(key="k2"))))
    assert line == "2026-11-24T10:00:00.123Z INFO  worker=track:0 gen=3 pid=123 stream connected key=k2"


def test_the_masters_line_has_no_worker() -> None:
    assert text(record("stopped")) == "2026-11-24T10:00:00.123Z INFO  stopped"


def test_the_same_as_json() -> None:
    one = of_worker(record("gap", extra=fields(cause="refresh", seconds=1.5, closed=True, rules=3, key=None)))
    assert members(one) == {
        "time": "2026-11-24T10:00:00.123Z",
        "level": "INFO",
        "worker": "track:0",
        "gen": 3,
        "pid": 123,
        "message": "gap",
        "cause": "refresh",
        "seconds": 1.5,
        "closed": True,
        "rules": 3,
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ('say "x"', '"say \\"x\\""'),
        ("a=b", '"a=b"'),
        ("line\nend", '"line\\nend"'),
        ("\x1b[31m\x85\u2028", '"\\u001b[31m\\x85\\u2028"'),
        (Path("/var/log"), "/var/log"),
        (True, "true"),
        (float("nan"), "nan"),
        ("münchen", "münchen"),
    ],
)
def test_a_fields_value_is_quoted_where_it_must_be(value: object, shown: str) -> None:
    assert text(record("event", extra=fields(name=value))).endswith(f" event name={shown}")


def test_a_field_that_is_none_is_left_out() -> None:
    assert text(record("event", extra=fields(key=None))).endswith(" event")


def test_further_lines_of_a_record_are_indented() -> None:
    lines = text(with_exception(record("first\nsecond"), "broken")).split("\n")
    assert lines[0].endswith("INFO  first")
    assert lines[1] == "    second"
    assert lines[-1] == "    ValueError: broken"
    assert all(line.startswith("    ") for line in lines[1:])


def test_control_characters_of_a_message_cannot_fake_a_line_or_paint_the_terminal() -> None:
    line = text(record("a\rb\x1b[31mc\u2028d\x85e"))
    assert line.endswith("a\\x0db\\x1b[31mc\\u2028d\\x85e")
    assert len(line.splitlines()) == 1


def test_an_exception_is_a_member_of_the_json_line() -> None:
    one = members(with_exception(record("failed"), "broken"))
    assert str(one["exception"]).endswith("ValueError: broken")


def test_a_field_called_like_a_member_does_not_replace_it() -> None:
    one = members(of_worker(record("event", extra=fields(level="high", pid=7, message="x"))))
    assert (one["level"], one["pid"], one["message"]) == ("INFO", 123, "event")
    assert (one["level_"], one["pid_"], one["message_"]) == ("high", 7, "x")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_message_whose_arguments_do_not_fit_is_shown_as_it_stands(log_format: str) -> None:
    line = formatter(log_format, SecretMask()).format(record("%d tweets", "many"))
    assert "%d tweets" in line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_are_hidden_in_message_fields_and_traceback(log_format: str) -> None:
    secret = 'SE"CRET\\1'
    one = with_exception(record("uses %s", secret, extra=fields(url=f"redis://:{secret}@host")), secret)
    line = formatter(log_format, SecretMask([secret])).format(one)
    assert "CRET" not in line
    assert line.count("***") >= 3


@given(st.text(), st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_record_is_one_json_object_on_one_line(message: str, given_fields: dict[str, object]) -> None:
    one = record(message, extra={"fields": given_fields})
    line = formatter("json", SecretMask()).format(one)
    assert "\n" not in line
    read = json.loads(line.encode(errors="backslashreplace"), parse_constant=no_json)
    assert read["level"] == "INFO"


def no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@given(st.text(), st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_record_is_one_text_line_but_for_indented_ones(
    message: str, given_fields: dict[str, object]
) -> None:
    first, *more = text(record(message, extra={"fields": given_fields})).splitlines()
    assert first.startswith("2026-11-24T10:00:00.123Z INFO ")
    assert all(line.startswith("    ") for line in more)
