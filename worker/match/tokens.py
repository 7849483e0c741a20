"""How a text falls into the words that track terms are compared with.

After Twitter, "Standard stream parameters", `track`; what that page leaves open is decided in
docs/decisions/0001-track-matching.md. All functions but the first three take text that went through `fold`.
"""

# ruff: noqa: RUF001 - the look-alikes in the tables below are meant

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator

# Full-width marks make tags too; emoji are compared without style; sigma has a form for the end of a word.
_SAME = (("＃", "#"), ("＠", "@"), ("\ufe0e", ""), ("\ufe0f", ""), ("ς", "σ"))


def _class_of(*categories: str) -> str:
    """Return the inside of a regular expression's class: all characters of these Unicode categories."""
    # Beyond the emoji planes there are only more ideographs, private use, and the selectors at U+E0100.
    codes = itertools.chain(range(0x80, 0x20000), range(0xE0100, 0xE01F0))
    members = [code for code in codes if unicodedata.category(chr(code)) in categories]
    runs = itertools.groupby(enumerate(members), lambda numbered: numbered[1] - numbered[0])
    bounds = [[code for _, code in run] for _, run in runs]
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for run in bounds)


_MARKS = _class_of("Mn", "Mc", "Me")  # accents and vowel signs; the re module does not count them to a word
_WORD = rf"[\w{_MARKS}]"

# A hashtag, mention or cashtag; its mark begins none after a word character, a slash or an ampersand.
# Here and below the first class is one that a search skips to quickly.
# The group is the name without the mark.
_TAG = re.compile(rf"[#@$](?<![\w{_MARKS}&/][#@$])((?<!\$){_WORD}+|(?<=\$)[a-z]+(?!{_WORD}))")
# The same for text that is ASCII, without a long way through classes that none of its characters is in.
_ASCII_TAG = re.compile(r"[#@$](?<![\w&/][#@$])((?<!\$)\w+|(?<=\$)[a-z]+(?!\w))", re.ASCII)
# With one mark for two: a search for one character takes a fifth of the time.
_ASCII_TAG_WITH_UNDERSCORE = re.compile(r"@(?<![\w&/]@)([a-z0-9]*_\w*)", re.ASCII)

_FOREIGN = r"[^\x00-\x7f]"
_IDEOGRAPH = (
    r"[\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff]"
)
_SYMBOL = f"[{_class_of('So')}]"
_MODIFIERS = r"[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"  # skin tones; tags of regional flags
_FLAG_HALF = r"[\U0001f1e6-\U0001f1ff]"
_REST_OF_EMOJI = rf"(?<={_FLAG_HALF}){_FLAG_HALF}|{_MODIFIERS}(?:\u200d{_SYMBOL}{_MODIFIERS})*"
# What words end at: punctuation, and what is a piece of its own beside them, emoji and runs of ideographs.
_FOREIGN_BREAK = re.compile(
    rf"{_FOREIGN}(?:(?P<piece>(?<={_SYMBOL})(?:{_REST_OF_EMOJI})|(?<={_IDEOGRAPH}){_IDEOGRAPH}*)|(?<!{_WORD}))"
)
_JOINED = re.compile(rf"{_IDEOGRAPH}|{_FLAG_HALF}|[\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_ASCII = bytes(range(0x80))
_ASCII_FOLDED_AND_BLANKED = bytes(
    code if code > 0x7F else ord(chr(code).lower()) if chr(code).isalnum() else ord(" ")
    for code in range(256)
)

_OPENING = "\"'“”„‟‘’‚‛«»‹›()[]{}<>（）［］「」『』【】《》〈〉¿¡"
_SENTENCE = ".,;:!?…‥。、，．！？：；-–—*~/"
_CLOSING = _OPENING + _SENTENCE
_LINK_START = re.compile(r"(?:https?://)?(?P<www>www\.)?")
_QUERY = re.compile("[?#]")


def fold(text: str) -> str:
    """Return `text` as it is compared: in lower case, with one form for what has several (see `_SAME`)."""
    folded = text.lower()
    if not folded.isascii():
        for written, compared in _SAME:
            folded = folded.replace(written, compared)
    return folded


def unescape(text: str) -> str:
    """Undo the escapes that stand in a tweet's text (`&amp;`, `&lt;`, `&gt;`)."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def blanked_pieces(text: str) -> bytes:
    """Return the pieces of `text`, folded or not, in UTF-8, each with blanks around it.

    Pieces are its words parted at blanks and punctuation, its emoji, and its tags without marks.
    """
    if "_" in text:
        return _pieces_beside_tags(fold(text))
    # By way of bytes, whose translation takes a fifth of the time and folds what is ASCII as well.
    pieces = f" {text} ".encode()
    if text.isascii():
        return pieces.translate(_ASCII_FOLDED_AND_BLANKED)
    # All that is not ASCII is looked at alone: a search through the whole text takes ten times as long.
    changes = [_change_of(character) for character in set(pieces.translate(None, _ASCII).decode())]
    if None in changes:
        return _pieces_beside_tags(fold(text))
    pieces = pieces.translate(_ASCII_FOLDED_AND_BLANKED)
    for change in changes:
        if change:
            pieces = pieces.replace(*change)
    return pieces


def _pieces_beside_tags(text: str) -> bytes:
    """Return the same of a folded text in which tags may fall into other pieces than other words do."""
    is_ascii = text.isascii()
    parts = _ASCII_TAG_WITH_UNDERSCORE.split(text.replace("#", "@")) if is_ascii else _TAG.split(text)
    rest, names = " ".join(parts[::2]), " ".join(parts[1::2])
    pieces = f" {rest} ".encode().translate(_ASCII_FOLDED_AND_BLANKED)
    if not is_ascii:
        pieces = _FOREIGN_BREAK.sub(_blanks_around_piece, pieces.decode()).encode()
    return b"%b%b " % (pieces, names.encode())


@functools.lru_cache(maxsize=4096)
def _change_of(character: str) -> tuple[bytes, bytes] | tuple[()] | None:
    """The character and what takes its place; nothing where it stays as it is.

    None where it may be one piece with the next one, or a piece of its own beside a word.
    """
    if _JOINED.match(character) is not None:
        return None
    pieces = fold(character).encode().translate(_ASCII_FOLDED_AND_BLANKED)
    instead = _FOREIGN_BREAK.sub(_blanks_around_piece, pieces.decode()).encode()
    return () if instead == character.encode() else (character.encode(), instead)


def _blanks_around_piece(found: re.Match[str]) -> str:
    return " " if found["piece"] is None else f" {found[0]} "


def pieces_of(text: str) -> list[str]:
    """Return the pieces of `text` one by one."""
    return blanked_pieces(text).decode().split()


def has_tag(text: str, term: str) -> bool:
    """Tell whether `term` is one of the hashtags, mentions and cashtags of `text`, its mark included."""
    tags = _ASCII_TAG if text.isascii() else _TAG
    at = text.find(term)
    while at >= 0:
        # Marks are no part of a tag's name: no tag can begin inside another, wherever the search begins.
        found = tags.match(text, at)
        if found is not None and found[0] == term:
            return True
        at = text.find(term, at + 1)
    return False


def names_in(text: str) -> list[str]:
    """Return the hashtags, mentions and cashtags of `text`, each without its mark."""
    return _TAG.findall(text)


def is_tag(term: str) -> bool:
    """Tell whether `term` is one hashtag, mention or cashtag."""
    return _TAG.fullmatch(term) is not None


def whole_words_of(text: str) -> set[str]:
    """Return the words of `text` with the punctuation inside them, as a term with punctuation must have it.

    Each also without the quotes, brackets and sentence punctuation around it; links also without scheme,
    query and fragment, and never with `www.`. Names of tags are among them.
    """
    words = set(names_in(text))
    for word in text.split():
        if not (word.isascii() and word.isalnum()):
            words.update(_readings_of(word))
    return words


def _readings_of(word: str) -> Iterator[str]:
    for start in {word, word.lstrip(_OPENING), word.lstrip(_OPENING + _SENTENCE)}:
        link_start = _LINK_START.match(start)
        assert link_start, "every part of this pattern is optional"
        bare = start[link_start.end() :]
        yield from (bare, bare.rstrip(_CLOSING))
        if len(bare) < len(start):
            yield _QUERY.split(bare, maxsplit=1)[0].rstrip(_CLOSING)
            if not link_start["www"]:
                yield from (start, start.rstrip(_CLOSING))
