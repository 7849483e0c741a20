"""What all sections of the ini have in common.

Each line of a section is the option's name, its kind, its default as written in the ini, what a reload does
with a change, and its meaning. Checks, the sample ini and docs/configuration.md follow from here. Durations
are seconds (float), sizes bytes (int).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from traptor.common.config.options import OnReload, Option

LIVE, REFRESH, RESTART = OnReload


class Section(BaseModel):
    """The common part of all sections."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    section: ClassVar[str]
    about: ClassVar[str]
    passes_on: ClassVar[bool] = False  # allows names with a dot, for a library
    refused: ClassVar[dict[str, str]] = {}  # of these names, with what to do instead
    rising: ClassVar[tuple[tuple[str, str], ...]] = ()  # pairs of options: the second is not less

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """Return the section's rows of the option table."""
        fields = cls.model_fields.items()
        return tuple(Option.of_field(cls.section, key, field) for key, field in fields)

    @classmethod
    def is_passed_on(cls, key: str) -> bool:
        """Tell whether a name is passed to a library unchanged."""
        return cls.passes_on and "." in key and key not in cls.refused
