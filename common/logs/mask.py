"""Replace known secrets in all output: a last line of defence behind code that shows none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

_MASK = "***"
SHORTEST = 4
"""Characters of a secret; a shorter one would hide ordinary words, and protects nothing."""


class SecretMask:
    """Hides secrets in text; it never forgets one, as an old secret may still be valid."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._compiled = _compiled(self._known)
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, from now on."""
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        if not forms <= self._known:
            self._known |= forms

    def hide(self, text: str) -> str:
        """Return the text with `***` in place of every known secret."""
        known = self._known
        if not known:
            return text
        compiled = self._compiled
        if compiled[0] is not known:  # only now: secrets become known one after the other
            compiled = self._compiled = _compiled(known)
        return compiled[1].sub(_MASK, text)


def _compiled(known: frozenset[str]) -> tuple[frozenset[str], re.Pattern[str]]:
    """Return the secrets with their pattern, together: another thread may add to them meanwhile."""
    return known, re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: plain, in a URL, in JSON, and in a Python repr."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
