"""Orders that are not carried out, each with a sentence."""

from __future__ import annotations

from traptor.common.errors import TraptorError


class UnknownNameError(TraptorError):
    """No connection, key or rule has this name."""


class NotNowError(TraptorError):
    """The order cannot be carried out now, or would change nothing."""
