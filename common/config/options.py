"""The option table: everything allowed in traptor.ini, derived from the declarations of the sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo

from traptor.common.config.kinds.kinds import Allowed

# From librdkafka's CONFIGURATION.md: sasl.password, ssl.key.pem, sasl.oauthbearer.client.secret, ...
_LIBRARY_SECRET = re.compile(r"password|passphrase|secret|key\.pem|oauthbearer\.config|jaas")


class OnReload(StrEnum):
    """The effect of a reload on a changed option."""

    LIVE = "live"  # takes effect at once
    REFRESH = "refresh"  # workers are replaced, with no gap when a spare slot or key is available
    RESTART = "restart"  # takes effect when the supervisor is restarted


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table. `default` is written as in the ini; None means the option is required."""

    section: str
    key: str
    default: str | None
    sample: str  # what the sample ini shows
    allowed: Allowed
    reload: OnReload
    is_secret: bool
    meaning: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.key}"

    @classmethod
    def of_field(cls, section: str, key: str, field: FieldInfo) -> Option:
        """Return the row for a field that was declared with `option`."""
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        return cls(
            section=section,
            key=key,
            default=None if field.is_required() else str(field.default),
            sample=str(extra["sample"]),
            allowed=next(item for item in field.metadata if isinstance(item, Allowed)),
            reload=OnReload(str(extra["reload"])),
            is_secret=not field.repr,
            meaning=field.description or "",
        )

    @classmethod
    def of_library(cls, section: str, key: str) -> Option:
        """Return the row for a name with a dot, which is passed to a library unchanged."""
        return cls(
            section=section,
            key=key,
            default="",
            sample="",
            allowed=Allowed("what librdkafka takes"),
            reload=OnReload.REFRESH,
            is_secret=_LIBRARY_SECRET.search(key) is not None,
            meaning="",
        )


def option(default: str, reload: OnReload, meaning: str, *, secret: bool = False) -> Any:
    """Declare a field of a section: its default as written in the ini, and its meaning."""
    extra: dict[str, Any] = {"sample": default, "reload": reload.value}
    return Field(default, description=meaning, repr=not secret, json_schema_extra=extra)


def required_option(sample: str, reload: OnReload, meaning: str) -> Any:
    """Declare a required field; the sample ini sets it to `sample`."""
    return Field(description=meaning, json_schema_extra={"sample": sample, "reload": reload.value})
