"""Make untrusted text safe to show: on one line, without terminal control sequences, and cut when long."""

from __future__ import annotations

_QUOTED_CHARACTERS = 60
_SHOWN_CHARACTERS = 80
_LINE_SEPARATORS = (0x2028, 0x2029)
_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # they reorder the characters that follow

# Characters that break a line or control a terminal, apart from line feed and tab.
CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
} | {code: f"\\u{code:04x}" for code in (*_LINE_SEPARATORS, *_BIDI)}
_IN_JSON = {code: f"\\u{code:04x}" for code in CONTROLS}
_IN_A_LINE = CONTROLS | {ord("\n"): "\\n", ord("\t"): "\\t"}


def one_line(text: str) -> str:
    r"""Return the text with line ends and control characters as escapes: `\n`, `\x1b`."""
    return text.translate(_IN_A_LINE)


def safe_json(text: bytes) -> bytes:
    r"""Return the same JSON with control characters as its escapes: `\u009b`; what is no JSON is kept too."""
    return text.decode(errors="surrogateescape").translate(_IN_JSON).encode(errors="surrogateescape")


def counted(number: int, noun: str) -> str:
    """Return `1 rule`, `2 rules` or `5,852 rules`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    """Return the text on one line, with `?` for unprintable characters."""
    return "".join(char if char.isprintable() else "?" for char in text)


def quoted(text: str) -> str:
    """Return the text in quotes for a message, cut when it is long."""
    return f"'{printable(cut(text, _QUOTED_CHARACTERS))}'"


def shown(text: str) -> str:
    """Return the text quoted and escaped for a message, cut when it is long."""
    return repr(cut(text, _SHOWN_CHARACTERS))


def cut(text: str, most: int) -> str:
    """Return the text, or its first `most - 3` characters and three dots."""
    return text if len(text) <= most else text[: most - 3] + "..."
