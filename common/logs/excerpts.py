"""Show the beginnings of lines that came from outside, of a few a minute."""

from __future__ import annotations

import logging
from typing import Final

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Ration

# All are counted elsewhere; this many a minute are shown.
_SHOWN_A_MINUTE: Final = 10
_SHOWN_CHARS: Final = 200


class Excerpts:
    """Logs beginnings of lines to one logger."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._ration = Ration(_SHOWN_A_MINUTE)

    def show(self, what: str, line: bytes) -> None:
        """Log the start of a line, unless many were shown just now."""
        if self._ration.take():
            self._log.warning(what, extra=fields(start=line[:_SHOWN_CHARS].decode(errors="replace")))
