"""Expand `${VAR}` and `${file:PATH}` in values of the ini."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from traptor.common.config.report import Position, Problems
from traptor.common.config.source.ini import IniValue
from traptor.common.config.source.textfile import TextFile, UnreadableText
from traptor.common.text import printable

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = "file:"


@dataclass(frozen=True, slots=True)
class Value:
    """One expanded value."""

    text: str = field(repr=False)  # may be a secret
    place: Position
    is_literal: bool = True  # contains no reference
    files: tuple[TextFile, ...] = ()  # the files that its `${file:PATH}` references named


def is_literal(value: IniValue) -> bool:
    """Tell whether the value contains no reference; text from a variable or a file may be a secret."""
    return all(match[0] == "$${" for match in _REFERENCE.finditer(value.text))


class Expansion:
    """Replaces the references in values."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self.paths: list[Path] = []  # of all files that were referred to, including missing ones

    def expand(self, value: IniValue, report: Problems) -> Value | None:
        """Return the expanded value, or None when a problem was reported."""
        files: list[TextFile] = []
        try:
            text = _REFERENCE.sub(lambda match: self._replacement(match, files), value.text)
        except ValueError as error:
            report.problem(value.place, str(error))
            return None
        return Value(text, value.place, is_literal(value), tuple(files))

    def _replacement(self, match: re.Match[str], files: list[TextFile]) -> str:
        if match[0] == "$${":
            return "${"
        name = match["name"]
        if name is not None and name.startswith(_FILE):
            files.append(self._read(name.removeprefix(_FILE).strip()))
            return files[-1].text.strip()
        if name is None or not _VARIABLE.fullmatch(name):
            raise ValueError("a ${ must be ${NAME} or ${file:PATH}; write $${ for the characters themselves")
        if name not in self._environ:
            raise ValueError(f"the environment has no variable {name}; set it, or write $${{ for a plain ${{")
        return _text_of(name, self._environ[name])

    def _read(self, name: str) -> TextFile:
        path = self._folder / name
        self.paths.append(path)
        try:
            return TextFile.read(path)
        except UnreadableText as error:
            raise ValueError(f"the file '{printable(str(path))}' {error}") from None


def _text_of(name: str, value: str) -> str:
    """Return a variable's value. Raises ValueError, which does not repeat it, when it is not UTF-8.

    Python passes bytes on that are no text in this locale; without UTF-8 there they may be text all the same.
    """
    if value.isascii():
        return value
    try:
        return os.fsencode(value).decode()
    except UnicodeError:
        raise ValueError(f"the variable {name} is not UTF-8 text; set it to text in UTF-8") from None
