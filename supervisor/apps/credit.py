"""Whether X gives an app posts: it does not when the account has no credit, or its usage cap is reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

_MOST_REASON_CHARACTERS = 500


class Credit:
    """Owns this state of one app; times are Unix seconds, `save` is called after each change."""

    def __init__(self, name: str, retry_s: float, save: Callable[[], object]) -> None:
        self.retry_s = retry_s
        self._name = name
        self._save = save
        self._until = 0.0
        self._why = ""
        self._is_said = False  # that X refused, and not yet that it gives again

    def out(self, why: str, wall_now: float, reset_at: float | None = None) -> float:
        """Record that X refused for money; return when to ask again: after a while, or at a reset before."""
        until = wall_now + self.retry_s
        if reset_at is not None and wall_now < reset_at < until:
            until = reset_at
        if not self._why:
            log.error("out of credit", extra=fields(key=self._name, why=why))
            self._is_said = True
        self._until, self._why = until, why[:_MOST_REASON_CHARACTERS]
        self._save()
        return until

    def good(self) -> None:
        """Record that X gave what was asked for."""
        if self._why or self._is_said:
            log.info("credit again", extra=fields(key=self._name))
            self._is_said = False
            self.forget()

    def forget(self) -> None:
        """Let the app ask at once: the operator says that there is credit."""
        self._until, self._why = 0.0, ""
        self._save()

    def missing(self, wall_now: float) -> tuple[str, float] | None:
        """Return why the app must not ask for posts, and until when; None while it may."""
        # A wait longer than any that this class sets comes from a clock that was set back.
        until = min(self._until, wall_now + self.retry_s)
        return (self._why, until) if self._why and self._until > wall_now else None

    def dump(self) -> dict[str, Any]:
        """Return what a next master needs, as JSON values."""
        return {"until": self._until, "why": self._why}

    def load(self, dump: Mapping[str, Any]) -> None:
        """Take over what an earlier master knew. Raises TraptorError."""
        until, why = dump.get("until"), dump.get("why")
        if not isinstance(until, int | float) or not isinstance(why, str):
            raise TraptorError("whether the app has credit cannot be read from state_dir; X is asked again")
        self._until, self._why = float(until), why
