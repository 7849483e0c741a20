"""Split a text into the words that track terms are compared with.

Follows Twitter, "Standard stream parameters", `track`; docs/decisions/0001-track-matching.md decides what
that page leaves open.
"""

# ruff: noqa: RUF001 - the look-alikes in the tables below are meant

from __future__ import annotations

import re

from traptor.worker.match.characters import (
    FLAG_HALF,
    FOREIGN,
    IDEOGRAPH,
    JOINER,
    MODIFIER,
    ONLY_IN_TAGS,
    PLAIN,
    SYMBOL,
    WORD,
)
from traptor.worker.match.tags import parted_at_tags

# Full-width marks make tags too; emoji are compared without style; sigma has a separate final form.
_SAME = (("＃", "#"), ("＠", "@"), ("\ufe0e", ""), ("\ufe0f", ""), ("ς", "σ"))

_FULL_WIDTH_MARKS = frozenset("＃＠")

_REST_OF_EMOJI = rf"(?<={FLAG_HALF}){FLAG_HALF}|{MODIFIER}*(?:\u200d{SYMBOL}{MODIFIER}*)*"
# Where words end: at punctuation, and at emoji and runs of ideographs, which are pieces of their own. The
# search engine skips to the first class quickly.
_FOREIGN_BREAK = re.compile(
    rf"{FOREIGN}(?:(?P<piece>(?<={SYMBOL})(?:{_REST_OF_EMOJI})|(?<={IDEOGRAPH}){IDEOGRAPH}*)"
    rf"|(?<!{WORD})(?!(?<={JOINER})(?<={PLAIN}{JOINER}){PLAIN}))"
)
_JOINED = re.compile(rf"{FLAG_HALF}|{JOINER}|{MODIFIER}")
_IDEOGRAPHS = re.compile(rf"({FOREIGN}(?<={IDEOGRAPH}){IDEOGRAPH}*)")
_IDEOGRAPH = (b"", b"")  # the change of an ideograph: none by itself
# A hashtag with such a character, if it is one: a word ends there, or goes on.
_HASHTAG_BEYOND_ASCII = re.compile(rf"#[A-Za-z0-9]*+{FOREIGN}")
# A screen name is ASCII; a word would go on.
_NAME_IN_WORD = re.compile(rf"@[\ufe0e\ufe0f]*[A-Za-z0-9]++{FOREIGN}(?<={WORD})")
_ASCII = bytes(range(0x80))
_ASCII_FOLDED_AND_BLANKED = bytes(
    code if code > 0x7F else ord(chr(code).lower()) if chr(code).isalnum() else ord(" ")
    for code in range(256)
)
_ASCII_FOLDED_REST_BLANKED = _ASCII_FOLDED_AND_BLANKED[:0x80] + b" " * 0x80
_KELVIN = "\u212a"  # `fold` makes a letter of ASCII of it
_STYLES = ("\ufe0e".encode(), "\ufe0f".encode())  # of emoji; `fold` drops them
_BEGINS_STYLE = 0xEF


def fold(text: str) -> str:
    """Return `text` as used for comparison: in lower case, with variants unified (see `_SAME`)."""
    folded = text.lower()
    if not folded.isascii():
        for written, compared in _SAME:
            folded = folded.replace(written, compared)
    return folded


def unescape(text: str) -> str:
    """Undo the escapes in a tweet's text (`&amp;`, `&lt;`, `&gt;`)."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def blanked(piece: str) -> bytes:
    """Return one piece in the form of `blanked_pieces`."""
    return f" {piece} ".encode()


def blanked_pieces(text: str) -> bytes:
    """Return the pieces of `text`, folded or not, in UTF-8, each between blanks.

    Pieces are its words, split at blanks and punctuation, its emoji, and its tags without marks.
    """
    if "_" in text:
        return _pieces_beside_tags(fold(text))
    # Bytes are used because their translation takes a fifth of the time and folds ASCII as well.
    pieces = f" {text} ".encode()
    if text.isascii():
        return pieces.translate(_ASCII_FOLDED_AND_BLANKED)
    # Non-ASCII characters are handled separately: a search through the whole text takes ten times as long.
    foreign = set(pieces.translate(None, _ASCII).decode())
    changes = set(map(_changes.__getitem__, foreign))
    has_ideographs = _IDEOGRAPH in changes
    if None in changes or _has_tags_unlike_words(text, foreign, has_ideographs):
        return _pieces_beside_tags(fold(text))
    pieces = pieces.translate(_ASCII_FOLDED_AND_BLANKED)
    for change in changes:
        if change:
            pieces = pieces.replace(*change)
    if has_ideographs:  # a run of them is one piece
        pieces = " ".join(_IDEOGRAPHS.split(pieces.decode())).encode()
    return pieces


def ascii_pieces(text: str) -> tuple[bytes, bytes] | None:
    """Return ` text ` in UTF-8, and all pieces of ASCII that it may have; None where these are unknown.

    The text is without the styles of emoji. The pieces are in the form of `blanked_pieces`, each where the
    text has it, and found much faster. Those between characters of ASCII are pieces for sure; beside another
    character a word may go on.
    """
    if "_" in text or _KELVIN in text:
        return None
    written = f" {text} ".encode()
    if _BEGINS_STYLE in written:
        for style in _STYLES:
            written = written.replace(style, b"")
    return written, written.translate(_ASCII_FOLDED_REST_BLANKED)


def _pieces_beside_tags(text: str) -> bytes:
    """Return the pieces of a folded text in which tags may be split differently from other words."""
    parts = parted_at_tags(text)
    rest, names = " ".join(parts[::2]), " ".join(parts[1::2])
    pieces = f" {rest} ".encode().translate(_ASCII_FOLDED_AND_BLANKED)
    if not text.isascii():
        pieces = _FOREIGN_BREAK.sub(_blanks_around_piece, pieces.decode()).encode()
    return b"%b%b " % (pieces, names.encode())


def _has_tags_unlike_words(text: str, foreign: set[str], has_ideographs: bool) -> bool:
    """Tell whether a tag may end where a word does not; `foreign` holds the non-ASCII characters."""
    may_differ = has_ideographs or not ONLY_IN_TAGS.isdisjoint(foreign)
    return (
        not _FULL_WIDTH_MARKS.isdisjoint(foreign)
        or (may_differ and "#" in text and _HASHTAG_BEYOND_ASCII.search(text) is not None)
        or ("@" in text and _NAME_IN_WORD.search(text) is not None)
    )


def _change_of(character: str) -> tuple[bytes, bytes] | tuple[()] | None:
    """Return the character and its replacement; empty when it stays as it is.

    `_IDEOGRAPH` for ideographs; None for other characters that may form one piece with the next one.
    """
    if _JOINED.match(character) is not None:
        return None
    if _IDEOGRAPHS.match(character) is not None:
        return _IDEOGRAPH
    pieces = fold(character).encode().translate(_ASCII_FOLDED_AND_BLANKED)
    instead = _FOREIGN_BREAK.sub(_blanks_around_piece, pieces.decode()).encode()
    return () if instead == character.encode() else (character.encode(), instead)


class _Changes(dict[str, tuple[bytes, bytes] | tuple[()] | None]):
    """A cache of `_change_of` by character; Unicode bounds its size."""

    def __missing__(self, character: str) -> tuple[bytes, bytes] | tuple[()] | None:
        change = self[character] = _change_of(character)
        return change


_changes = _Changes()


def _blanks_around_piece(found: re.Match[str]) -> str:
    return " " if found["piece"] is None else f" {found[0]} "


def pieces_of(text: str) -> list[str]:
    """Return the pieces of `text` one by one."""
    return blanked_pieces(text).decode().split()
