"""Facts that an earlier master kept in state_dir, as what they were before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from traptor.common.errors import TraptorError

T = TypeVar("T")


def read_kept(form: type[T], dump: Mapping[str, Any], trouble: str) -> T:
    """Return a dump as `form`. Raises TraptorError, whose text is `trouble`, where it is none."""
    try:
        return msgspec.convert(dict(dump), form)
    except msgspec.ValidationError:
        raise TraptorError(trouble) from None
