"""What is wrong or doubtful in the configuration, collected so that all of it can be said at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from traptor.common.errors import ConfigError, Problem
from traptor.common.text import cut, printable

_PLACE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file, line where known, and what is meant: "traptor.ini:12 [redis] url"."""

    file: str
    line: int | None = None
    what: str = ""

    def of(self, what: str) -> Place:
        """The place of a thing inside this one."""
        return replace(self, what=f"{self.what} {what}".lstrip())

    def __str__(self) -> str:
        spot = self.file if self.line is None else f"{self.file}:{self.line}"
        return printable(f"{spot} {cut(self.what, _PLACE_CHARACTERS)}".rstrip())


class Report:
    """Problems and warnings as they are found; no message may hold a secret."""

    def __init__(self) -> None:
        self._problems: list[tuple[Place, str]] = []
        self._warnings: list[str] = []

    def problem(self, place: Place, message: str) -> None:
        """Note what keeps the configuration from being used."""
        self._problems.append((place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note what the operator should know though the configuration can be used."""
        self._warnings.append(f"{place}: {message}")

    @property
    def problem_count(self) -> int:
        """How many problems there are up to now."""
        return len(self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems: file by file as they came up, in the order of the lines."""
        files = list(dict.fromkeys(place.file for place, _ in self._problems))
        ordered = sorted(self._problems, key=lambda found: (files.index(found[0].file), found[0].line or 0))
        return tuple(dict.fromkeys(Problem(str(place), message) for place, message in ordered))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, as they came up."""
        return tuple(self._warnings)

    def raise_problems(self) -> None:
        """Raises ConfigError if there is any problem."""
        if self._problems:
            raise ConfigError(self.problems)
