"""What connections ask an app at X, and what they tell it (v2); under v1.1 there is no app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from traptor.common.config.keys.key import ApiKey
from traptor.common.knowledge import Knowledge
from traptor.supervisor.apps.hold import Hold
from traptor.supervisor.apps.settings import AppSettings, Route
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.rules.snapshot import Snapshot


class AppView(Protocol):
    """One app; `supervisor.apps.app.App` is it."""

    @property
    def token(self) -> str:
        """The bearer token to connect with, or "" when there is none."""

    @property
    def knowledge(self) -> Knowledge:
        """What its workers match by; another object whenever it has changed."""

    @property
    def in_effect(self) -> InEffect | None:
        """The rules that its filters find posts for now; None until rules and filters are known."""

    def hold(self) -> Hold | None:
        """Return why its stream may not open, or None."""

    @property
    def without_filter(self) -> Mapping[str, str]:
        """Why X has no filter for a rule, and gets none, by the rule's Redis key."""

    def connected(self) -> None:
        """Record that X opened the stream."""

    def doubt(self) -> None:
        """Have it ask X which filters stand there: the stream was refused for want of them."""

    def refused(self, token: str, why: str) -> None:
        """Record that X does not take this bearer token."""

    def out_of_credit(self, why: str) -> None:
        """Record that X refused the stream since the account has no credit."""

    def usage_capped(self, why: str) -> None:
        """Record that X refused the stream since a usage cap of the account is reached."""

    def retry(self) -> None:
        """End its waits for credit, for a valid token and for X: the operator says that it may be asked."""

    def read(self, worker: str, total: Reads) -> None:
        """Count what a worker, by its generation's name, has read in all."""

    def ended(self, worker: str) -> None:
        """Count what a worker whose process is gone had read and not told."""

    def saw(self, filter_ids: Iterable[str]) -> None:
        """Take note of posts that named these filters: they are in effect."""


class AppsView(Protocol):
    """All apps; `supervisor.apps.apps.Apps` is it."""

    def get(self, key_id: str) -> AppView | None:
        """Return the app of a key."""

    def take_keys(self, keys: Iterable[tuple[ApiKey, AppSettings, Route]]) -> None:
        """Have an app for each of these keys, and none for others."""

    def serve(self, key_id: str, groups: Sequence[tuple[Snapshot, Wording]]) -> None:
        """Set the rules of the groups that an app serves."""


class NoApps:
    """The apps of v1.1: none."""

    def get(self, _key_id: str) -> AppView | None:
        """Return None."""
        return None

    def take_keys(self, _keys: Iterable[tuple[ApiKey, AppSettings, Route]]) -> None:
        """Do nothing."""

    def serve(self, _key_id: str, _groups: Sequence[tuple[Snapshot, Wording]]) -> None:
        """Do nothing."""


class SlotsView(Protocol):
    """The connections that X counts for apps; `supervisor.slots.slots.Slots` is it."""

    def connecting(self, key_id: str) -> None:
        """Record a connect before it is made."""

    def connected(self, key_id: str, at: float) -> None:
        """Record the time (Unix) of a 200."""

    def taken(self, key_id: str) -> None:
        """Have the app's connections looked at: X says that it has too many."""

    def holder(self, key_id: str) -> str:
        """Return who holds the app's connection, as far as that is known."""

    async def ask(self, key_id: str) -> str | None:
        """Ask X for the app's connections, and say whose they are; None where there is no token to ask with.

        Raises XFailure.
        """


class NoSlots:
    """The slots of v1.1, which tells nobody of its connections."""

    def connecting(self, _key_id: str) -> None:
        """Do nothing."""

    def connected(self, _key_id: str, _at: float) -> None:
        """Do nothing."""

    def taken(self, _key_id: str) -> None:
        """Do nothing."""

    def holder(self, _key_id: str) -> str:
        """Return that nobody is known."""
        return ""

    async def ask(self, _key_id: str) -> str | None:
        """Return that there is no token."""
        return None
