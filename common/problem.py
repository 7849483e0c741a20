"""X's problem documents: whole bodies, items of `errors`, and lines of a stream."""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

from traptor.common.text import cut, printable

_SAID_CHARACTERS = 200
_KIND_CHARACTERS = 60
_OLD_RATE_LIMIT = 88  # the code of v1.1, which some answers still have
RATE_LIMIT = "rate-limit-exceeded"


class ProblemDocument(msgspec.Struct, frozen=True):
    """A problem document, or one of the `errors` of an answer; only texts are taken."""

    title: Any = None
    type: Any = None
    detail: Any = None
    details: Any = None
    message: Any = None
    code: Any = None
    connection_issue: Any = None
    disconnect_type: Any = None
    period: Any = None
    value: Any = None
    id: Any = None
    errors: Any = None

    @property
    def kind(self) -> str:
        """The problem in one word: connection issue, disconnect type, last segment of its type, or title.

        A used-up window is `rate-limit-exceeded`, in whichever form X says so.
        """
        for name in (self.connection_issue, self.disconnect_type, self._segment, self.title):
            if isinstance(name, str) and name:
                return RATE_LIMIT if name == "Too Many Requests" else cut(printable(name), _KIND_CHARACTERS)
        return RATE_LIMIT if self.code == _OLD_RATE_LIMIT else ""

    @property
    def _segment(self) -> str:
        segment = self.type.rstrip("/").rpartition("/")[2] if isinstance(self.type, str) else ""
        return "" if segment == "about:blank" else segment

    @property
    def reason(self) -> str:
        """X's explanation, in one line made safe to show, with what it says of the first bad parameter."""
        details = self.details if isinstance(self.details, list) else []
        texts = [*details, self.detail, self.message, self.title]
        said = next((text.strip() for text in texts if _says(text)), "")
        whole = " ".join(text for text in (said, self._of_parameter) if text)
        return cut(printable(whole or "no reason given"), _SAID_CHARACTERS)

    @property
    def _of_parameter(self) -> str:
        errors = self.errors if isinstance(self.errors, list) else []
        told = (one.get("message") for one in errors if isinstance(one, dict) and "parameters" in one)
        return next((text.strip() for text in told if _says(text)), "")


def _says(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and bool(text.strip())


def problems_in(raw: bytes) -> tuple[ProblemDocument, ...]:
    """Return the problems of a body, itself first; none where it is no JSON object."""
    try:
        whole = msgspec.json.decode(raw, type=ProblemDocument)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    return (whole, *listed_problems(whole.errors))


def listed_problems(errors: object) -> tuple[ProblemDocument, ...]:
    """Return the problems of an answer's `errors`; what is no object is left out."""
    items = errors if isinstance(errors, list) else []
    return tuple(msgspec.convert(item, ProblemDocument) for item in items if isinstance(item, dict))
