"""Replace known secrets in all output: a last line of defence behind code that shows none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from threading import Lock
from urllib.parse import quote

_MASK = "***"
SHORTEST = 4
"""Characters of a secret; a shorter one would hide ordinary words, and protects nothing."""


class SecretMask:
    """Hides secrets in text; it never forgets one, as an old secret may still be valid."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: tuple[str, ...] = ()  # the longest first: others may be parts of it
        self._learning = Lock()  # two threads of a worker may learn secrets at once
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, from now on."""
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        with self._learning:
            if not forms.issubset(self._known):
                self._known = tuple(sorted(forms.union(self._known), key=len, reverse=True))

    def hide(self, text: str) -> str:
        """Return the text with `***` in place of every known secret."""
        for known in self._known:
            text = text.replace(known, _MASK)
        return text


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: plain, in a URL, in JSON, and in a Python repr."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
