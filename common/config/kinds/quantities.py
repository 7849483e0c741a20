"""Read durations, sizes and counts as people write them in the ini.

The ValueErrors do not repeat the value: it may be a misplaced secret.
"""

from __future__ import annotations

import re

_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile(_NUMBER + r"\s*(ms|s|m|h|d)")
_SIZE = re.compile(_NUMBER + r"\s*([KMG]?)", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(_NUMBER)
_COUNT = re.compile(r"[0-9]{1,12}")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MAX_DURATION_S = 366 * _SECONDS["d"]

_YES = frozenset({"yes", "true", "on"})
_NO = frozenset({"no", "false", "off"})


def read_duration(text: str) -> float:
    """Return the seconds, more than 0, of a text such as `250ms` or `1.5h`. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("not a duration; write a number and its unit (ms, s, m, h or d), such as 30s")
    seconds = float(match[1]) / 1000 if match[2] == "ms" else float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _MAX_DURATION_S:
        raise ValueError("must be longer than 0s and at most 366d")
    return seconds


def read_size(text: str) -> int:
    """Return the bytes of a text such as `64M`; K, M and G are powers of 1024. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("not a size; write a number of bytes, or a number and K, M or G, such as 64M")
    return int(float(match[1]) * _BYTES[match[2].upper()])


def read_count(text: str) -> int:
    """Return a whole number. Raises ValueError."""
    if not _COUNT.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def read_rate(text: str) -> float:
    """Return a rate per second, more than 0. Raises ValueError."""
    if not _PLAIN_NUMBER.fullmatch(text):
        raise ValueError("not a number; write how many a second, such as 2 or 0.5")
    if not float(text) > 0:
        raise ValueError("must be more than 0")
    return float(text)


def read_amount(text: str) -> float:
    """Return an amount of money, 0 or more. Raises ValueError."""
    if not _PLAIN_NUMBER.fullmatch(text):
        raise ValueError("not an amount; write a number such as 25 or 0.005")
    return float(text)


def read_yes_no(text: str) -> bool:
    """Tell whether the text says yes. Raises ValueError."""
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError("write yes or no")
    return word in _YES
