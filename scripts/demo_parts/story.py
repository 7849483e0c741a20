"""What a demo tells: its connections, what a change of rules does to them, and how it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trial.accounts import Account, Options
from trial.servers import Servers
from trial.view import View

from demo_parts.outputs import Output
from demo_parts.rulebook import Rulebook


class Told(Protocol):
    """The end of a story: a verdict, and its lines for people."""

    @property
    def is_good(self) -> bool: ...

    def lines(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """What a story is judged by, once everything has ended."""

    servers: Servers
    rules: Rulebook
    output: Output
    log: Sequence[dict[str, Any]]  # records of supervisor.log
    view: View  # the last one
    failures: tuple[str, ...]
    logs: str


class Story(Protocol):
    """One API's story. `view` is always the supervisor as it is now."""

    accounts: list[Account]
    api: str
    connections: frozenset[str]
    awaited: str
    """What comes of a change of rules."""

    @property
    def is_changing(self) -> bool:
        """Whether a change was made whose effect is still to come."""

    def sandbox_options(self) -> tuple[str, ...]:
        """Return more options of the sandbox."""

    def sections(self, url: str) -> Options:
        """Return more sections of the ini, for a sandbox at this URL."""

    def collects(self, view: View) -> bool:
        """Tell whether everything is collected for the first time."""

    def begin(self, servers: Servers) -> None:
        """Remember whom to ask."""

    def change(self, view: View) -> None:
        """Note how it is when rules change."""

    def look(self, view: View) -> Iterable[str]:
        """Yield what has come of a change, for people."""

    def failures(self) -> Iterable[str]:
        """Yield what should not have happened."""

    def all_read(self, view: View) -> bool:
        """Tell whether all that was written to the streams is received, delivered and counted."""

    def end(self, ending: Ending) -> Told:
        """Return the end."""
