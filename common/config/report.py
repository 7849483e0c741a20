"""Collect problems and warnings about the configuration so that all can be reported at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from traptor.common.errors import ConfigError, Problem
from traptor.common.text import cut, printable

_PLACE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the configuration: file, line if known, and name, as in "traptor.ini:12 [redis] url"."""

    file: str
    line: int | None = None
    what: str = ""

    def of(self, what: str) -> Position:
        """Return the place of a thing inside this one."""
        return replace(self, what=f"{self.what} {what}".lstrip())

    def __str__(self) -> str:
        spot = self.file if self.line is None else f"{self.file}:{self.line}"
        return printable(f"{spot} {cut(self.what, _PLACE_CHARACTERS)}".rstrip())


class Problems:
    """Problems and warnings in the order they are found; no message may hold a secret."""

    def __init__(self) -> None:
        self._problems: list[tuple[Position, str]] = []
        self._warnings: list[str] = []

    def problem(self, place: Position, message: str) -> None:
        """Record a problem that makes the configuration unusable."""
        self._problems.append((place, message))

    def warn(self, place: Position, message: str) -> None:
        """Record something that the operator should know although the configuration is usable."""
        self._warnings.append(f"{place}: {message}")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems: file by file in the order found, then by line."""
        files = list(dict.fromkeys(place.file for place, _ in self._problems))
        ordered = sorted(self._problems, key=lambda found: (files.index(found[0].file), found[0].line or 0))
        return tuple(dict.fromkeys(Problem(str(place), message) for place, message in ordered))

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings in the order found."""
        return tuple(self._warnings)

    def raise_problems(self) -> None:
        """Raise ConfigError if there is any problem."""
        if self._problems:
            raise ConfigError(self.problems)
