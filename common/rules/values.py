"""Convert the values of rules from what people write to what Twitter accepts.

Limits and forms are Twitter's ("Standard stream parameters"). A single invalid value makes the server refuse
the whole connection with 406, so doubtful values are rejected here, where only their own rule is lost.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from traptor.common.rules.rule import RuleType
from traptor.common.text import shown

MAX_PHRASE_BYTES = 60
MAX_USER_ID = (1 << 63) - 1  # ids are signed 64-bit numbers
MIN_BOX_SIDE = 0.1  # degrees: "25 0.1-360 degree location boxes"
_DECIMALS = 9  # a billionth of a degree: a tenth of a millimetre
_SLACK = 1e-9  # 10.6 - 10.5 is a little less than 0.1 in binary

_USER_ID = re.compile(r"[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?")


def read_values(rule_type: RuleType, text: str, *, hashtag: bool = False) -> tuple[str, ...]:
    """Return the distinct values of one rule, normalised, in their original order.

    `hashtag` puts `#` before every term of a track rule that has none.

    Raises ValueError with the reason, a sentence for the rule's owner.
    """
    match rule_type:
        case RuleType.TRACK:
            values = _phrases(text, hashtag)
        case RuleType.FOLLOW:
            values = (_user_id(part) for part in text.split(","))
        case RuleType.LOCATIONS:
            values = _boxes(text)
    return tuple(dict.fromkeys(values))


def _phrases(text: str, hashtag: bool) -> Iterable[str]:
    for alternative in text.split(","):
        terms = alternative.lower().split()
        if hashtag:
            terms = ["#" + term.removeprefix("#").removeprefix("\uff03") for term in terms]
        yield _checked_phrase(" ".join(terms))


def _checked_phrase(phrase: str) -> str:
    size_bytes = len(phrase.encode(errors="surrogatepass"))
    if size_bytes > MAX_PHRASE_BYTES:
        raise ValueError(
            f"the phrase {shown(phrase)} has {size_bytes} bytes in UTF-8;"
            f" a phrase has {MAX_PHRASE_BYTES} at most"
        )
    if phrase.isascii() and phrase.replace(" ", "").isalnum():
        return phrase  # as most are: to look at each character takes ten times as long
    categories = {unicodedata.category(character) for character in phrase if character != " "}
    if not categories:
        raise ValueError("a phrase is empty (is there a comma too many?)")
    if categories & {"Cc", "Cs"}:
        raise ValueError(f"the phrase {shown(phrase)} has control characters")
    if all(map(_is_ignored, categories)):
        raise ValueError(f"the phrase {shown(phrase)} is only punctuation, which finds nothing")
    return phrase


def _is_ignored(category: str) -> bool:
    """Tell whether Twitter ignores the category: invisibles, and punctuation but `_` (Pc)."""
    return category == "Cf" or (category.startswith("P") and category != "Pc")


def _user_id(text: str) -> str:
    digits = text.strip()
    if not _USER_ID.fullmatch(digits):
        raise ValueError(f"{shown(digits)} is not a numeric user id (screen names cannot be followed)")
    if not 0 < int(digits) <= MAX_USER_ID:
        raise ValueError(f"{shown(digits)} is not a user id: ids are from 1 to {MAX_USER_ID}")
    return str(int(digits))


def _boxes(text: str) -> Iterable[str]:
    parts = text.split(",")
    if len(parts) % 4:
        raise ValueError(f"{len(parts)} numbers; a box has four: west,south,east,north")
    numbers = [_degrees(part) for part in parts]
    for start in range(0, len(numbers), 4):
        yield _checked_box(*numbers[start : start + 4])


def _degrees(text: str) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{shown(text.strip())} is not a number of degrees")
    return round(float(text), _DECIMALS) + 0.0  # -0.0 becomes 0.0


def _checked_box(west: float, south: float, east: float, north: float) -> str:
    box = ",".join(_canonical(number) for number in (west, south, east, north))
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise ValueError(f"the box {box} leaves the map: longitudes -180 to 180, latitudes -90 to 90")
    if west >= east or south >= north:
        raise ValueError(
            f"the box {box} is not west,south,east,north with west < east and south < north"
            " (split a box that crosses the 180th meridian)"
        )
    if min(east - west, north - south) < MIN_BOX_SIDE - _SLACK:
        raise ValueError(f"the box {box} is too small: each side has at least {MIN_BOX_SIDE} degrees")
    return box


def _canonical(number: float) -> str:
    """Return the shortest plain decimal: equal numbers give equal text, never with an exponent."""
    return f"{number:.{_DECIMALS}f}".rstrip("0").rstrip(".")
