"""The soak's disturbances of the collection: rule changes, reloads, keys that come and go, killed workers."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from trial.accounts import Account, write_key_file
from trial.rulebook import GROUPS, Rulebook
from trial.supervisor import Supervisor
from trial.view import StatusReader

_FEWEST_KEYS_AWAY, _MOST_KEYS_AWAY = 1, 2


class Disturber:
    """Does one thing after the other; a seed decides which and when."""

    def __init__(
        self,
        seed: int,
        every_s: float,
        rules: Rulebook,
        supervisor: Supervisor,
        status: StatusReader,
        accounts: list[Account],
        key_file: Path,
    ) -> None:
        self._rng = Random(seed)
        self._every_s = every_s
        self._rules = rules
        self._supervisor = supervisor
        self._status = status
        self._accounts = accounts
        self._key_file = key_file
        self._next_s = every_s
        self._ways: dict[str, Callable[[], None]] = {
            "rules changed": self._change_rules,
            "hint without a change": self._hint,
            "reload by SIGHUP": self._supervisor.reload,
            "key file edited": self._edit_keys,
            "worker killed": self._kill,
        }
        self.done: Counter[str] = Counter()

    def go_on(self, elapsed_s: float) -> str | None:
        """Do what is due now and return its name."""
        if elapsed_s < self._next_s:
            return None
        self._next_s += self._every_s * self._rng.uniform(0.5, 1.5)
        name = self._rng.choice(sorted(self._ways))
        self._ways[name]()
        self.done[name] += 1
        return name

    def _change_rules(self) -> None:
        for group in self._rng.sample(GROUPS, self._rng.randint(1, 2)):
            self._rules.change(group)
            self._rules.hint(group)

    def _hint(self) -> None:
        self._rules.hint(self._rng.choice(GROUPS))

    def _edit_keys(self) -> None:
        away = self._rng.sample(
            [a["name"] for a in self._accounts], self._rng.randint(_FEWEST_KEYS_AWAY, _MOST_KEYS_AWAY)
        )
        write_key_file(self._key_file, [a for a in self._accounts if a["name"] not in away])

    def _kill(self) -> None:
        pids = sorted(self._status.look().pids().values())
        if not pids:
            return
        try:
            os.kill(self._rng.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was replaced after the status was written
