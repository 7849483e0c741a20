"""An app at X that is nothing but what a test says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from traptor.common.config.keys.key import ApiKey
from traptor.common.knowledge import Knowledge
from traptor.supervisor.apps.hold import Hold
from traptor.supervisor.apps.settings import AppSettings, Route
from traptor.supervisor.apps.view import AppView
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.rules.snapshot import Snapshot


@dataclass
class PaperApp:
    token: str = "bearer-of-the-app"
    knowledge: Knowledge = field(default_factory=Knowledge)
    in_effect: InEffect = field(default_factory=InEffect)
    held: Hold | None = None
    heard: list[str] = field(default_factory=list)  # what connections told it
    without_filter: dict[str, str] = field(default_factory=dict)  # rules that get no filter, and why
    reads: dict[str, Reads] = field(default_factory=dict)  # by worker: its total

    def hold(self) -> Hold | None:
        return self.held

    def connected(self) -> None:
        self.heard.append("connected")

    def doubt(self) -> None:
        self.heard.append("doubt")

    def refused(self, token: str, why: str) -> None:
        self.heard.append(f"refused {token}: {why}")

    def out_of_credit(self, why: str) -> None:
        self.heard.append(f"out of credit: {why}")

    def usage_capped(self, why: str) -> None:
        self.heard.append(f"usage capped: {why}")

    def retry(self) -> None:
        self.heard.append("retry")

    def read(self, worker: str, total: Reads) -> None:
        self.reads[worker] = total

    def ended(self, worker: str) -> None:
        self.heard.append(f"ended {worker}")

    def saw(self, filter_ids: Iterable[str]) -> None:
        self.heard += [f"saw {filter_id}" for filter_id in filter_ids]


@dataclass
class PaperApps:
    """Apps by key_id, and which groups each was told to serve."""

    apps: dict[str, PaperApp] = field(default_factory=dict)
    served: dict[str, list[str]] = field(default_factory=dict)

    def get(self, key_id: str) -> AppView | None:
        return self.apps.get(key_id)

    def take_keys(self, keys: Iterable[tuple[ApiKey, AppSettings, Route]]) -> None:
        for key, _, _ in keys:
            self.apps.setdefault(key.key_id, PaperApp())

    def serve(self, key_id: str, groups: Sequence[tuple[Snapshot, Wording]]) -> None:
        self.served[key_id] = [str(snapshot.group) for snapshot, _ in groups]


@dataclass
class PaperSlots:
    """Who is said to hold an app's connection, and what connections told."""

    by: str = ""
    heard: list[str] = field(default_factory=list)

    def connecting(self, key_id: str) -> None:
        self.heard.append("connecting")

    def connected(self, key_id: str, at: float) -> None:
        self.heard.append("connected")

    def taken(self, key_id: str) -> None:
        self.heard.append("taken")

    def holder(self, key_id: str) -> str:
        return self.by
