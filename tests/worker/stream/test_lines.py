"""Where messages end: at CRLF, and at LF after whole JSON."""

from __future__ import annotations

import json

import pytest
import urllib3

from traptor.worker.stream.lines import Lines

FALLING_BEHIND = b"""\
{
    "warning":{
        "code":"FALLING_BEHIND",
        "message":"The queue for this connection is over 30% full.",
        "percent_full":30
    }
}\r\n"""


def taken(*pieces: bytes) -> list[bytes]:
    lines = Lines()
    return [message for piece in pieces for message in lines.take(piece)]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}\r\n\n\r\n', [b'{"a":1}', b'{"b":2}', b"", b""]),
        (b'{"a":\n[1,\n2]}\n{"b":2}\n', [b'{"a": [1, 2]}', b'{"b":2}']),
        (b'{"a":\r\n{"b":2}\r\n', [b'{"a":', b'{"b":2}']),
        (b'no JSON\n{"b":2}\n', [b"no JSON", b'{"b":2}']),
        (b"no JSON\r\n5\r\n", [b"no JSON", b"5"]),
        (b"\xff\n\xfe\r\n", [b"\xff", b"\xfe"]),
    ],
)
def test_a_message_ends_at_crlf_and_at_lf_after_whole_json(text: bytes, messages: list[bytes]) -> None:
    assert taken(text) == messages


@pytest.mark.parametrize("half", [b'{"a":"x', b'{"a":', b'{"a":{', b"["])
def test_half_of_a_message_takes_no_whole_one_with_it(half: bytes) -> None:
    """A server that ends with LF alone: what follows a broken message is found again."""
    assert taken(half + b'\n{"b":2}\n{"c":3}\n{"d":4}\n')[-2:] == [b'{"c":3}', b'{"d":4}']
    assert b'{"b":2}' in taken(half + b'\n{"b":2}\n{"c":3}\n{"d":4}\n')


def test_a_warning_over_several_lines_is_one_message() -> None:
    (message,) = taken(FALLING_BEHIND)
    assert json.loads(message)["warning"]["percent_full"] == 30
    assert b"\n" not in message


@pytest.mark.parametrize("size", [1, 2, 7])
def test_pieces_change_nothing(size: int) -> None:
    text = FALLING_BEHIND + b'{"a":1}\r\n{"b":2}\n'
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert taken(*pieces) == taken(text)


def test_it_is_between_messages_only_when_nothing_is_kept() -> None:
    lines = Lines()
    assert lines.is_between
    for piece, is_between in ((b"{", False), (b"}\r", False), (b"\n", True), (b"{\n", False), (b"}\n", True)):
        lines.take(piece)
        assert lines.is_between == is_between, piece


def test_lines_that_never_become_json_are_let_go() -> None:
    assert len(taken(b"[\n" * 1_000)) >= 700
    assert len(taken(b"[" + b" " * 70_000 + b"\n", b"1\n")) >= 1


def test_the_end_ends_a_whole_message_and_tears_another() -> None:
    lines = Lines()
    assert lines.take(b'{"a":1}') == []
    assert lines.finish() == [b'{"a":1}']
    for rest in (b'{"a":1', b'{"a":\n1', b"no JSON"):
        lines = Lines()
        lines.take(rest)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            lines.finish()
