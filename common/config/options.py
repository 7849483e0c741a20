"""The option table: what can stand in traptor.ini, taken from the sections' own declarations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo

from traptor.common.config.kinds.kinds import Allowed

# After librdkafka's CONFIGURATION.md: sasl.password, ssl.key.pem, sasl.oauthbearer.client.secret, ...
_LIBRARY_SECRET = re.compile(r"password|passphrase|secret|key\.pem|oauthbearer\.config|jaas")


class Reload(StrEnum):
    """What a reload does with a changed option."""

    LIVE = "live"  # counts at once
    REFRESH = "refresh"  # workers are replaced, without a gap where the keys allow it
    RESTART = "restart"  # waits until the supervisor is started anew


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table. `default` is as it would stand in the ini; None: the option must be set."""

    section: str
    key: str
    default: str | None
    sample: str  # what the sample ini shows
    allowed: Allowed
    reload: Reload
    is_secret: bool
    meaning: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.key}"

    @classmethod
    def of_field(cls, section: str, key: str, field: FieldInfo) -> Option:
        """The row for a field that was declared with `option`."""
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        return cls(
            section=section,
            key=key,
            default=None if field.is_required() else str(field.default),
            sample=str(extra["sample"]),
            allowed=next(item for item in field.metadata if isinstance(item, Allowed)),
            reload=Reload(str(extra["reload"])),
            is_secret=not field.repr,
            meaning=field.description or "",
        )

    @classmethod
    def of_library(cls, section: str, key: str) -> Option:
        """The row for a name with a dot, which goes to a library as it is."""
        return cls(
            section=section,
            key=key,
            default="",
            sample="",
            allowed=Allowed("what librdkafka takes"),
            reload=Reload.REFRESH,
            is_secret=_LIBRARY_SECRET.search(key) is not None,
            meaning="",
        )


def option(default: str, reload: Reload, meaning: str, *, secret: bool = False) -> Any:
    """Declare a field of a section: its default as it would stand in the ini, and what it is for."""
    extra: dict[str, Any] = {"sample": default, "reload": reload.value}
    return Field(default, description=meaning, repr=not secret, json_schema_extra=extra)


def required_option(sample: str, reload: Reload, meaning: str) -> Any:
    """Declare a field without a default; the sample ini sets it to `sample`."""
    return Field(description=meaning, json_schema_extra={"sample": sample, "reload": reload.value})
