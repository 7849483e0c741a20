"""How a text falls into the words that track terms are compared with.

After Twitter, "Standard stream parameters", `track`; what that page leaves open is decided in
docs/decisions/0001-track-matching.md. All functions but the first two take text that went through `fold`.
"""

# ruff: noqa: RUF001 - the look-alikes in the tables below are meant

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

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
_SYMBOL = f"[{_class_of('So')}]"
_MODIFIERS = "[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*"  # skin tones; tags of regional flags
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_WORD = rf"[\w{_MARKS}]"

# A hashtag, mention or cashtag; its mark begins none after a word character, a slash or an ampersand.
# The mark comes first in the pattern, so that the search skips to marks quickly.
_TAGGED = re.compile(rf"[#@$](?<![\w{_MARKS}&/][#@$])(?:(?<!\$){_WORD}+|(?<=\$)[a-z]+(?!{_WORD}))")
_PIECE = re.compile(rf"{_WORD}+|{_FLAG}|{_SYMBOL}{_MODIFIERS}(?:\u200d{_SYMBOL}{_MODIFIERS})*")
_IDEOGRAPHS = re.compile(
    "[\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]+"
)
_ASCII_SEPARATORS = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})

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


def pieces_of(text: str) -> list[str]:
    """Return the words of `text` parted at blanks and punctuation, its emoji, and its tags without marks."""
    if text.isascii() and "_" not in text:
        return _ascii_pieces(text)
    words = text.split()
    tagged = [word for word in words if "_" in word and word.isascii()]
    foreign = [word for word in words if not word.isascii()]
    # The others need no search for tags: theirs fall into the same pieces as other words.
    simple = [word for word in words if "_" not in word and word.isascii()]
    pieces = _ascii_pieces(" ".join(simple))
    if tagged:
        pieces += _tagged_pieces(" ".join(tagged), _ascii_pieces)
    if foreign:
        pieces += _tagged_pieces(" ".join(foreign), _foreign_pieces)
    return pieces


def _ascii_pieces(text: str) -> list[str]:
    return text.translate(_ASCII_SEPARATORS).split()


def _foreign_pieces(text: str) -> list[str]:
    return _PIECE.findall(_IDEOGRAPHS.sub(r" \g<0> ", text))


def _tagged_pieces(text: str, pieces_without_tags: Callable[[str], list[str]]) -> list[str]:
    names = names_in(text)
    rest = _TAGGED.sub(" ", text) if names else text
    return pieces_without_tags(rest.replace("_", " ")) + names


def tags_in(text: str) -> list[str]:
    """Return the hashtags, mentions and cashtags of `text`, each with its mark."""
    return _TAGGED.findall(text)


def names_in(text: str) -> list[str]:
    """Return the hashtags, mentions and cashtags of `text`, each without its mark."""
    return [tag[1:] for tag in _TAGGED.findall(text)]


def is_tag(term: str) -> bool:
    """Tell whether `term` is one hashtag, mention or cashtag."""
    return _TAGGED.fullmatch(term) is not None


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
