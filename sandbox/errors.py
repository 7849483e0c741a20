"""The errors of the sandbox, apart from faults on demand.

SandboxError
├── BadInput     an option, a file or an API request cannot be used
├── Refused      the stream request gets an HTTP status other than 200
└── Unreachable  the client finds no sandbox, or it did not start
"""

from __future__ import annotations

from collections.abc import Mapping


class SandboxError(Exception):
    """Base class of all errors that are shown as one line instead of a traceback."""


class BadInput(SandboxError):
    """An option, a file or an API request cannot be used; the message says where and why."""


class Unreachable(SandboxError):
    """No sandbox answers at the address, or it ended before it listened."""


class Refused(SandboxError):
    """A connect is answered with `status`; `reason` is the text, most of it sent `text_after_s` later."""

    def __init__(
        self, status: int, reason: str, headers: Mapping[str, str] | None = None, text_after_s: float = 0.0
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})
        self.text_after_s = text_after_s
        super().__init__(f"{status}: {reason}")
