"""Facts on one app in state_dir: a master that cannot keep them goes on, and says so once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from traptor.common.config.keys.key import ApiKey
from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

Json = dict[str, Any]


class AppStore(Protocol):
    """Keeps facts on apps; StateStore does."""

    def save_app(self, key_id: str, what: str, dump: Json) -> None:
        """Save one kind of facts. Raises TraptorError."""

    def load_app(self, key_id: str, what: str) -> Json | None:
        """Return what was saved last. Raises TraptorError."""

    def save_pieces(self, key_id: str, what: str, pieces: Json) -> None:
        """Save pieces of one kind of facts by name; None removes one. Raises TraptorError."""

    def load_pieces(self, key_id: str, what: str) -> Json:
        """Return all pieces that were saved and not removed. Raises TraptorError."""

    def forget_pieces(self, key_id: str, what: str) -> None:
        """Remove all pieces of one kind. Raises TraptorError."""


class Facts:
    """Saves and loads the facts on one app by kind."""

    def __init__(self, key: ApiKey, store: AppStore) -> None:
        self._key = key
        self._store = store
        self._fails = False

    def save(self, what: str, dump: Json) -> None:
        """Save one kind in place of the previous facts."""
        self._try(lambda: self._store.save_app(self._key.key_id, what, dump))

    def save_pieces(self, what: str, pieces: Json) -> bool:
        """Save pieces of one kind by name, of which None removes one; tell whether they are saved."""
        return self._try(lambda: self._store.save_pieces(self._key.key_id, what, pieces))

    def load(self, what: str, take: Callable[[Json], object]) -> None:
        """Have `take` take over what was saved last of one kind, if anything was."""
        try:
            if (dump := self._store.load_app(self._key.key_id, what)) is not None:
                take(dump)
        except TraptorError as error:
            self._say("facts on an app are lost", error)

    def load_pieces(self, what: str, take: Callable[[Json], object]) -> None:
        """Have `take` take over the pieces of one kind; those that cannot be read are removed."""
        try:
            take(self._store.load_pieces(self._key.key_id, what))
        except TraptorError as error:
            self._say("facts on an app are lost", error)
            self._try(lambda: self._store.forget_pieces(self._key.key_id, what))

    def _try(self, save: Callable[[], None]) -> bool:
        try:
            save()
        except TraptorError as error:
            if not self._fails:
                self._say("facts on an app are not saved", error)
            self._fails = True
        else:
            self._fails = False
        return not self._fails

    def _say(self, what: str, error: TraptorError) -> None:
        log.warning(what, extra=fields(key=self._key.name, error=str(error)))
