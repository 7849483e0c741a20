"""The errors that an operator may see.

TraptorError
├── ConfigError        the ini or the key file: every problem at once
├── AlreadyRunning     another supervisor holds the lock
├── RedisUnavailable   Redis cannot be asked now
├── SinkError          the output cannot be opened or written
└── ProtocolError      master and worker do not understand each other

Each message says what happened, where, and what to do. None carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands (from BSD's sysexits where one fits)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_RUNNING = 3
    ALREADY_RUNNING = 75  # EX_TEMPFAIL: try again when the other supervisor has ended
    BAD_CONFIG = 78  # EX_CONFIG: systemd does not restart on it


class TraptorError(Exception):
    """Base class of all errors that are shown as one line instead of a traceback."""

    exit_code = ExitCode.FAILURE


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration.

    `where` names file, line, section and key as far as they are known: "traptor.ini:12 [redis] url".
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class ConfigError(TraptorError):
    """The configuration cannot be used; `problems` lists everything that is wrong with it."""

    exit_code = ExitCode.BAD_CONFIG

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AlreadyRunning(TraptorError):
    """Another supervisor holds run_dir or state_dir."""

    exit_code = ExitCode.ALREADY_RUNNING


class RedisUnavailable(TraptorError):
    """Redis did not answer, or answered that it cannot serve requests now."""


class SinkError(TraptorError):
    """The output cannot be opened or written."""


class ProtocolError(TraptorError):
    """A frame between master and worker is too large, corrupt, or not a known message."""
