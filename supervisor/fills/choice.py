"""By which method the gaps of a supervisor are filled, as its settings say. Pure."""

from __future__ import annotations

from traptor.common.config.kinds.v2 import NO_FILLS, V2
from traptor.common.config.settings import Settings
from traptor.common.fills import FillMethod


def fill_method(settings: Settings) -> FillMethod | None:
    """Return the method; None: gaps stay as they are."""
    if settings.traptor.api != V2 or settings.twitter.fill_gaps == NO_FILLS:
        return None
    return FillMethod(settings.twitter.fill_gaps)
