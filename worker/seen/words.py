"""The words of 64 bits that a file of seen posts consists of.

A word is the id of a post that was taken, or of one that was only billed (it stood in includes), or the time
at which the words after it were written. A word that a damaged file makes up does no harm: no post has such
an id.
"""

from __future__ import annotations

from typing import Final

from traptor.worker.seen.ids import MOST

FORMAT: Final = int.from_bytes(b"seen\x00\x00\x00\x01", "little")
TURNED: Final = (1 << 64) - 1  # the last word of a file that another one follows
_TIME: Final = 1 << 63
_ONLY_BILLED: Final = MOST + 1
_MASK: Final = MOST


def of_time(unix_s: int) -> int:
    """Return the word for a time."""
    return _TIME | unix_s


def of_billed(post: int) -> int:
    """Return the word for a post that was billed and not taken."""
    return _ONLY_BILLED | post


def time_of(word: int) -> int | None:
    """Return the time that a word stands for; None for others."""
    return word & _MASK if word & _TIME and word != TURNED else None


def is_taken(word: int) -> bool:
    """Tell whether a word that is no time stands for a post that was taken."""
    return not word & _ONLY_BILLED


def post_of(word: int) -> int:
    """Return the post that a word stands for."""
    return word & _MASK
