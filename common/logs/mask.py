"""Replace known secrets in all output: a last line of defence behind code that shows none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

_MASK = "***"
# A shorter one would hide ordinary words, and protects nothing.
_SHORTEST = 4


class SecretMask:
    """Hides secrets in text; it never forgets one, as an old secret may still be valid."""

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
        """Return the text with `***` in place of every known secret."""
        return self._pattern.sub(_MASK, text) if self._pattern is not None else text


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: plain, in a URL, in JSON, and in a Python repr."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
