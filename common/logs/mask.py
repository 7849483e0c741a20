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
    """Hides secrets in text; it never forgets one, as an old secret may still be valid.

    A text is as quickly found to hold none of a thousand secrets as of ten: they are looked up by their
    beginnings, of which a text has about as many as characters.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: tuple[str, ...] = ()  # the longest first: others may be parts of it
        self._by_beginning: dict[str, tuple[str, ...]] = {}
        self._learning = Lock()  # two threads of a worker may learn secrets at once
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these too, from now on."""
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        with self._learning:
            if not forms.issubset(self._known):
                known = tuple(sorted(forms.union(self._known), key=len, reverse=True))
                self._by_beginning = _by_beginning(known)
                self._known = known

    def hide(self, text: str) -> str:
        """Return the text with `***` in place of every known secret."""
        if len(text) < len(self._known) and not self._holds_one(text):
            return text
        for known in self._known:
            text = text.replace(known, _MASK)
        return text

    def _holds_one(self, text: str) -> bool:
        beginnings = {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
        forms = self._by_beginning
        return any(form in text for beginning in beginnings & forms.keys() for form in forms[beginning])


def _by_beginning(forms: Iterable[str]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = {}
    for form in forms:
        grouped.setdefault(form[:SHORTEST], []).append(form)
    return {beginning: tuple(group) for beginning, group in grouped.items()}


def _forms(secret: str) -> set[str]:
    """Return the forms of a secret: plain, in a URL, in JSON, and in a Python repr."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
