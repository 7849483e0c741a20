"""Read an ini file and keep the line number of every section and value.

configparser does the reading, without interpolation. It exposes no line numbers, so each section header gets
its line number prepended to the name before parsing, and `optionxform`, which is called once per option while
its line is the current one, makes each option's name unique. Thus nothing is merged, and duplicates are
found.
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from traptor.common.config.original import became
from traptor.common.config.report import Position, Problems

OVER_LINES = "spans several lines; an indented line belongs to the value above it"


@dataclass(frozen=True, slots=True)
class IniValue:
    """One value as written; several lines are joined by line ends.

    Its place gives line and section but not the name: where a line was torn, the name may be part of a
    secret.
    """

    text: str = field(repr=False)  # may be a secret
    place: Position


@dataclass(frozen=True, slots=True)
class IniSection:
    """One section: its values by option name (in lower case)."""

    name: str
    place: Position
    values: dict[str, IniValue]


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    line: int


class _NumberedLines:
    """The file's lines, with the number of the current one."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline=None)
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        yield "[0:]\n"  # catches text before the first header
        for self.number, line in enumerate(self._lines, start=1):  # noqa: B020 - the number is read meanwhile
            header = configparser.RawConfigParser.SECTCRE.match(line.strip())
            yield line if header is None else f"[{self.number}:{header['header']}]\n"


def read_ini(file: str, text: str, report: Problems) -> dict[str, IniSection]:
    """Return the sections of an ini by name; syntax errors and duplicates go to the report."""
    lines = _NumberedLines(text)
    options: list[_Option] = []

    def number_option(name: str) -> str:
        options.append(_Option(name.lower(), lines.number))
        return str(len(options) - 1)

    parser = configparser.RawConfigParser(
        interpolation=None, strict=False, default_section="", empty_lines_in_values=False
    )
    parser.optionxform = number_option  # type: ignore[method-assign,assignment] # the documented way to set it
    try:
        parser.read_file(lines)
    except configparser.ParsingError as error:  # the parts that could be parsed are available nevertheless
        for number, _ in error.errors:
            place = Position(file, number - 1)
            report.problem(place, "not a [section], a comment (# or ;) or `name = value`")
    return _sections(file, parser, options, report)


def _sections(
    file: str, parser: configparser.RawConfigParser, options: list[_Option], report: Problems
) -> dict[str, IniSection]:
    sections: dict[str, IniSection] = {}
    for numbered_name in parser.sections():
        number, _, name = numbered_name.partition(":")
        values = [
            (option.name, IniValue(value, Position(file, option.line, f"[{name}]")))
            for index, value in parser.items(numbered_name)
            for option in (options[int(index)],)
        ]
        section = IniSection(name, Position(file, int(number), f"[{name}]"), _unique(values, report))
        if number == "0":
            _report_headless(section, report)
        elif name in sections:
            report.problem(section.place, f"is already there, in line {sections[name].place.line}")
        else:
            sections[name] = section
    return sections


def _unique(values: list[tuple[str, IniValue]], report: Problems) -> dict[str, IniValue]:
    unique: dict[str, IniValue] = {}
    for name, value in values:
        if name in unique:
            report.problem(value.place, f"is already set, in line {unique[name].place.line}")
        else:
            unique[name] = value
    return unique


def _report_headless(section: IniSection, report: Problems) -> None:
    for name, value in section.values.items():
        place = Position(value.place.file, value.place.line)
        what = became(name) or "begin with a line such as [traptor]"
        report.problem(place, f"stands before the first section; {what}")
