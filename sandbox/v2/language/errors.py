"""The error for a value that X would refuse."""

from __future__ import annotations

from traptor.sandbox.errors import SandboxError


class InvalidRule(SandboxError):
    """A value that X would not accept; `details` are the sentences of its problem document."""

    def __init__(self, reason: str, position: int = 1) -> None:
        self.details = (f"{reason} (at position {position})",)
        super().__init__(self.details[0])
