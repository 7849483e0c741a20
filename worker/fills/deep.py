"""Cut out of JSON what is nested too deeply to be decoded, without recursion."""

from __future__ import annotations

import re
from typing import Final

# A post has some ten levels. The decoder gives up at about a thousand, less what calls it.
_MOST_LEVELS: Final = 200
# A text without an end is one token, too: else each quote in it would begin another, and looks up to the end.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_IN_ITS_PLACE: Final = b"{}"


def without_deep(body: bytes) -> bytes:
    """Return `body` with an empty object in place of each item of its outermost lists that goes too deep."""
    kept: list[bytes] = []
    kept_to = 0
    opened = bytearray()  # the brackets around the token
    item_at = item_level = deepest = 0  # of the item around it; level 0: there is none
    for token in _TOKENS.finditer(body):
        mark = token[0]
        if mark in b"[{":
            if not item_level and opened.endswith(b"["):
                item_at, item_level, deepest = token.start(), len(opened), 0
            opened += mark
            deepest = max(deepest, len(opened))
        elif mark in b"]}":
            del opened[-1:]
            if item_level and len(opened) == item_level:
                if deepest - item_level > _MOST_LEVELS:
                    kept += body[kept_to:item_at], _IN_ITS_PLACE
                    kept_to = token.end()
                item_level = 0
    return b"".join((*kept, body[kept_to:]))
