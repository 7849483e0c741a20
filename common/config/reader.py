"""Read the ini, and the files that it names, piece by piece."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from traptor.common.config.keys.checks import KeyChecks, KeyNeeds
from traptor.common.config.keys.draft import SECTION_PREFIX, KeyDraft, draft_of_section
from traptor.common.config.keys.file import KeyFile
from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.kinds import IniFolder
from traptor.common.config.kinds.v2 import V1, V2
from traptor.common.config.options import Option
from traptor.common.config.report import Position, Problems
from traptor.common.config.sectionreader import SectionReader
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.table import SECTIONS
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.source.expansion import Expansion, Value, is_literal
from traptor.common.config.source.exposure import secret_values, warn_of_exposure
from traptor.common.config.source.ini import IniSection, read_ini
from traptor.common.config.source.textfile import TextFile, UnreadableText
from traptor.common.config.spelling import did_you_mean

SectionT = TypeVar("SectionT", bound=Section)


class SettingsReader:
    """One reading of the configuration; problems and warnings accumulate in `report`."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.report = Problems()
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose a symlink that is swapped
        self._file = str(path)
        self._folder = self.path.parent
        self._expansion = Expansion(self._folder, environ)
        self._key_file: Path | None = None
        self._secrets: list[Value] = []  # from the ini
        self._require_text()
        self._ini = self._read_text(self.path, Position(self._file))
        text = "" if self._ini is None else self._ini.text
        self.report.raise_problems()
        self._sections = read_ini(self._file, text, self.report)
        self._report_unknown_sections()
        self.api = self._written_api()

    @property
    def watched(self) -> tuple[Path, ...]:
        """Every file that was read or looked for."""
        files = (self.path, self._key_file, *self._expansion.paths)
        return tuple(dict.fromkeys(path for path in files if path is not None))

    def section(self, model: type[SectionT]) -> SectionT | None:
        """Return one section, or None when it has a problem; [traptor], which names the API, comes first."""
        missing = IniSection(model.section, Position(self._file, None, f"[{model.section}]"), {})
        written = self._sections.get(model.section, missing)
        reader = SectionReader(model, written, self.report)
        section = reader.read(IniFolder(self._folder, self.api), self._expansion)
        self._secrets += reader.secret_values
        if isinstance(section, TraptorSection):
            self.api = section.api
        return section

    def keys(self, key_file: Path | None, needs: KeyNeeds) -> tuple[ApiKey, ...]:
        """Return the usable keys of the ini and of the key file."""
        in_ini = [
            draft_of_section(section, self._expansion, self.report)
            for name, section in self._sections.items()
            if name.startswith(SECTION_PREFIX)
        ]
        in_file = [] if key_file is None else self._read_key_file(key_file)
        self._secrets += secret_values(in_ini)
        return KeyChecks(self.report, needs).keys((*in_ini, *in_file))

    def is_set(self, option: Option) -> bool:
        """Tell whether an option stands in the ini."""
        written = self._sections.get(option.section)
        return written is not None and option.key in written.values

    def place(self, section: str, key: str) -> Position:
        """Return the place where an option stands, or would stand."""
        written = self._sections.get(section)
        value = written.values.get(key) if written is not None else None
        place = Position(self._file, None, f"[{section}]") if value is None else value.place
        return place.of(key)

    def finish(self) -> None:
        """Warn of files with secrets that others may open; raise ConfigError if there was any problem."""
        if self._ini is not None and any(value.is_literal for value in self._secrets):
            warn_of_exposure(self._ini, self.report)
        for file in dict.fromkeys(file for value in self._secrets for file in value.files):
            warn_of_exposure(file, self.report)
        self.report.raise_problems()

    # ---- steps

    def _require_text(self) -> None:
        """Refuse a folder whose name is not text: relative paths lie in it, and LMDB, for one, takes text."""
        try:
            str(self._folder).encode()
        except UnicodeEncodeError:
            self.report.problem(
                Position(self._file),
                "lies in a folder whose name is not text here"
                f" ({sys.getfilesystemencoding()}); rename the folder, or move the ini",
            )

    def _written_api(self) -> str:
        """Return the API that [traptor] names, for the case that the section has a problem elsewhere."""
        written = self._sections.get(TraptorSection.section)
        value = None if written is None else written.values.get("api")
        return V2 if value is not None and value.text == V2 else V1

    def _read_text(self, path: Path, place: Position) -> TextFile | None:
        try:
            return TextFile.read(path)
        except UnreadableText as error:
            self.report.problem(Position(place.file, error.line, place.what), str(error))
            return None

    def _read_key_file(self, path: Path) -> list[KeyDraft]:
        self._key_file = path
        named = self._sections["keys"].values["file"]
        # A name that is no file may be a misplaced secret, such as a URL with a password.
        may_be_shown = (is_literal(named) and "@" not in named.text) or os.path.lexists(path)
        place = Position(str(path), None, "([keys] file)") if may_be_shown else named.place.of("file")
        file = self._read_text(path, place)
        if file is None:
            return []
        drafts = KeyFile(str(path), self.report).read(file.text)
        if secret_values(drafts):
            warn_of_exposure(file, self.report)
        return drafts

    def _report_unknown_sections(self) -> None:
        known = [model.section for model in SECTIONS]
        for name, section in self._sections.items():
            if name not in known and not name.startswith(SECTION_PREFIX):
                hint = did_you_mean(name, [*known, f"{SECTION_PREFIX}NAME"])
                self.report.problem(section.place, f"no such section{hint}")
