"""Turn a section of the ini into a validated section of the settings."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace
from typing import Generic, TypeVar

from pydantic import ValidationError

from traptor.common.config.kinds.kinds import JSONL, STDOUT, IniFolder
from traptor.common.config.options import Option
from traptor.common.config.original import became
from traptor.common.config.report import Position, Problems
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.source.expansion import Expansion, Value
from traptor.common.config.source.exposure import url_secrets_of
from traptor.common.config.source.ini import OVER_LINES, IniSection
from traptor.common.config.spelling import did_you_mean
from traptor.common.text import quoted

SectionT = TypeVar("SectionT", bound=Section)

_IN_QUOTES = re.compile(r"""(["'`]).*\1""")
_COMMENT_BEHIND = re.compile(r"\s[#;]")
_LIBRARY_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_SHOWN_CHARACTERS = 10  # credentials are longer


class SectionReader(Generic[SectionT]):
    """Reads one section of the ini; all its problems go to the report."""

    def __init__(self, model: type[SectionT], written: IniSection, report: Problems) -> None:
        self._model = model
        self._table = {option.key: option for option in model.options()}
        self._written = written
        self._report = report
        self._values: dict[str, Value | None] = {}  # None: a problem was reported

    def read(self, folder: IniFolder, expansion: Expansion) -> SectionT | None:
        """Return the validated section, or None when it has a problem."""
        self._take_known_values(expansion)
        texts = {key: value.text for key, value in self._values.items() if value is not None}
        broken = self._values.keys() - texts.keys()
        try:
            section = self._model.model_validate(self._with_samples(texts, broken), context=folder)
        except ValidationError as error:
            self._report_invalid(error)
            broken |= {str(detail["loc"][0]) for detail in error.errors()}
            section = self._model.model_validate(self._with_samples(texts, broken), context=folder)
        broken |= self._inconsistent(section, broken)
        return None if broken else section

    def _with_samples(self, texts: dict[str, str], broken: Set[str]) -> dict[str, str]:
        """Return the texts with valid samples replacing broken ones, so that the rest can be validated."""
        return texts | {key: self._table[key].sample for key in broken}

    @property
    def secret_values(self) -> list[Value]:
        """The values read that must stay secret."""
        secret = (value for key, value in self._values.items() if self._table[key].is_secret)
        return [value for value in secret if value is not None and self._holds_secret(value)]

    def _holds_secret(self, value: Value) -> bool:
        """Tell whether there is a secret in what may be one: a URL may be without, and a token be empty."""
        if self._model.passes_on:
            return True
        return bool(url_secrets_of(value)) if "://" in value.text else bool(value.text)

    def _take_known_values(self, expansion: Expansion) -> None:
        for key, written in self._written.values.items():
            if self._model.is_passed_on(key):
                self._table[key] = Option.of_library(self._model.section, key)
            option = self._table.get(key)
            if option is None:
                self._report_unknown(key, written.place)
            elif "\n" in written.text and not option.allowed.is_list:
                self._report.problem(self._place(key), OVER_LINES)
                self._values[key] = None
            else:
                named = replace(written, place=self._place(key))
                self._values[key] = self._unquoted(expansion.expand(named, self._report), option)

    def _unquoted(self, value: Value | None, option: Option) -> Value | None:
        """Return the value, or None when it is quoted: an ini takes quotes as part of the value."""
        if value is None or not _IN_QUOTES.fullmatch(value.text):
            return value
        if self._model.is_passed_on(option.key):
            self._report.warn(value.place, "stands in quotes, which librdkafka gets as a part of the value")
            return value
        self._report.problem(value.place, "stands in quotes, which are a part of the value; remove them")
        return None

    def _report_unknown(self, key: str, line: Position) -> None:
        """Report a name that is not an option; repeat it only when it cannot be part of a secret."""
        hint = did_you_mean(key, self._table)
        home = next((option.section for option in OPTIONS if option.key == key), None)
        if key in self._model.refused:
            self._report.problem(line.of(key), f"cannot be set: {self._model.refused[key]}")
        elif home is not None:
            self._report.problem(line.of(key), f"no such option; it belongs in [{home}]")
        elif (successor := became(key)) is not None:
            self._report.problem(line.of(key), f"no such option; {successor}")
        else:
            place = line.of(key) if hint or len(key) <= _SHOWN_CHARACTERS else line
            self._report.problem(place, f"no such option{hint}")

    def _report_invalid(self, error: ValidationError) -> None:
        # Only this of pydantic's error is used: its texts quote values.
        for detail in error.errors(include_url=False, include_input=False):
            key = str(detail["loc"][0])
            if detail["type"] == "value_error":
                self._report.problem(self._place(key), f"{detail['ctx']['error']}{self._found(key)}")
            else:  # the option is missing
                sample = self._table[key].sample
                self._report.problem(self._place(key), f"must be set, such as `{key} = {sample}`")

    def _found(self, key: str) -> str:
        """Return the value if it may be shown: text from a variable or a file may be a secret.

        So may a longer text after any option: a line may have been torn or pasted.
        """
        value = self._values.get(key)
        if value is None or not value.is_literal or self._table[key].is_secret or "@" in value.text:
            return ""
        if not value.text:
            return " (found nothing; to use the default, remove the line)"
        found = [f"found {quoted(value.text)}"] if len(value.text) <= _SHOWN_CHARACTERS else []
        if _COMMENT_BEHIND.search(value.text):
            found.append("a comment needs a line of its own")
        return f" ({'; '.join(found)})" if found else ""

    def _inconsistent(self, section: SectionT, broken: Set[str]) -> set[str]:
        """Report options that conflict with each other, unless one of them is already broken."""
        wrong: dict[str, str] = {}
        for low, high in section.rising:
            if broken.isdisjoint((low, high)) and getattr(section, low) > getattr(section, high):
                wrong |= self._too_low(low, high)
        if isinstance(section, TraptorSection) and broken.isdisjoint(("output", "other_messages")):
            wrong |= _nowhere_to_go(section)
        for key, message in wrong.items():
            self._report.problem(self._place(key), message)
        return set(wrong)

    def _too_low(self, low: str, high: str) -> dict[str, str]:
        if high in self._values:
            return {high: f"must not be less than {low}"}
        return {low: f"must not be more than {high}, which is {self._table[high].default}"}

    def _place(self, key: str) -> Position:
        written = self._written.values.get(key)
        line = self._written.place if written is None else written.place
        is_named = not self._model.is_passed_on(key) or _LIBRARY_NAME.fullmatch(key)
        return line.of(key) if is_named else line


def _nowhere_to_go(section: TraptorSection) -> dict[str, str]:
    if section.output != f"{JSONL}{STDOUT}" or section.other_messages in ("topic", "drop"):
        return {}
    return {"other_messages": "must be topic or drop where output is jsonl:-"}
