"""Known secrets are replaced in whatever is written: a last line of defence behind code that shows none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

_MASK = "***"
# A shorter one would blot out ordinary words, and protects nothing.
_SHORTEST = 4


class SecretMask:
    """Hides secrets in text; what it has learnt it never forgets, as an old secret may still be valid."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, from now on."""
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        if forms <= self._known:
            return
        self._known |= forms
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def hide(self, text: str) -> str:
        """The text with `***` in place of every known secret."""
        return self._pattern.sub(_MASK, text) if self._pattern is not None else text


def _forms(secret: str) -> set[str]:
    """The secret as it stands in plain text, in a URL, in JSON, and in a Python repr."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
