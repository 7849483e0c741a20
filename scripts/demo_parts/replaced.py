"""The story of API v1.1: a change of rules replaces one of three workers, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from trial.accounts import Options, make_accounts
from trial.evidence import gather
from trial.judge import judge
from trial.servers import Servers
from trial.view import View

from demo_parts.rulebook import CHANGED_GROUP
from demo_parts.story import Ending
from demo_parts.summary import Replacement, Summary

_KEYS = 5  # three for the connections; two spares, so that a refresh leaves no gap


class ReplacedWorker:
    """Notes which workers serve, before and after each change."""

    api = "v1.1"
    connections = frozenset({"follow:0", "follow:0.2", CHANGED_GROUP})
    awaited = f"a new worker for {CHANGED_GROUP}"

    def __init__(self) -> None:
        self.accounts = make_accounts(_KEYS)
        self._pids_before: dict[str, int] | None = None  # set while a change is in progress
        self._replacements: list[Replacement] = []

    @property
    def is_changing(self) -> bool:
        """Whether the new worker is still to come."""
        return self._pids_before is not None

    def sandbox_options(self) -> tuple[str, ...]:
        """Return none."""
        return ()

    def sections(self, url: str) -> Options:
        """Return where streams are."""
        return {"twitter": {"stream_url": url}}

    def collects(self, view: View) -> bool:
        """Tell whether all connections stream."""
        return set(view.pids()) == self.connections

    def begin(self, servers: Servers) -> None:
        """Remember whom to ask."""
        self._servers = servers

    def change(self, view: View) -> None:
        """Note the workers that serve now."""
        self._pids_before = view.pids()

    def look(self, view: View) -> Iterable[str]:
        """Yield the replacement, once there is one."""
        before, now = self._pids_before, view.pids()
        if before is None or now.keys() < before.keys() or now[CHANGED_GROUP] == before[CHANGED_GROUP]:
            return
        others = before.keys() - {CHANGED_GROUP}
        replacement = Replacement(
            connection=CHANGED_GROUP,
            old_pid=before[CHANGED_GROUP],
            new_pid=now[CHANGED_GROUP],
            kept=tuple(sorted(name for name in others if now[name] == before[name])),
            moved=tuple(sorted(name for name in others if now[name] != before[name])),
        )
        self._pids_before = None
        self._replacements.append(replacement)
        yield str(replacement)

    def failures(self) -> Iterable[str]:
        """Yield the workers that changed without a reason."""
        for replacement in self._replacements:
            if replacement.moved:
                yield f"{', '.join(replacement.moved)} changed workers without a reason"

    def all_read(self, view: View) -> bool:
        """Tell whether each stream's worker has received and delivered what was written to the stream."""
        sent = {
            stream["account"]: stream["tweets"]
            for stream in self._servers.sandbox.connections(with_values=False)
            if stream["closed_at"] is None
        }
        return all(
            c.worker_received >= sent.get(c.key or "", 0) and c.delivered >= c.received
            for c in view.connections
        )

    def end(self, ending: Ending) -> Summary:
        """Account for every tweet that was made for a rule."""
        sandbox, folder = ending.servers.sandbox, ending.servers.folder
        found = gather(sandbox, ending.log, folder.output, ending.rules.history)
        evidence = replace(found, written=ending.output.written())
        return Summary(
            verdict=judge(evidence),
            view=ending.view,
            gaps=tuple(evidence.gaps),
            replacements=tuple(self._replacements),
            failures=ending.failures,
            output=ending.output.place,
            logs=ending.logs,
        )
