"""Options that only one of the two APIs has."""

from __future__ import annotations

from traptor.common.config.kinds.v2 import NATIVE, V1, V2
from traptor.common.config.options import Option
from traptor.common.config.reader import SettingsReader
from traptor.common.config.sections import OPTIONS, TraptorSection

_TRAPTOR = TraptorSection.section


def api_of(option: Option) -> str | None:
    """Return the only API that has the option, as its meaning begins; None when both have it."""
    return next((api for api in (V1, V2) if option.meaning.startswith(f"{api}: ")), None)


def require_expand(reader: SettingsReader, payload: str) -> None:
    """Report a rebuilt payload whose price and gaps the operator did not choose."""
    expand = next(one for one in OPTIONS if (one.section, one.key) == (_TRAPTOR, "expand"))
    if payload != NATIVE and not reader.is_set(expand):
        reader.report.problem(
            reader.place(_TRAPTOR, "payload"),
            f"{payload} needs `expand` to be set, which decides what such a tweet lacks and what it costs:"
            " `none`, `posts`, `users` or `all`",
        )


def warn_of_idle_options(reader: SettingsReader, api: str) -> None:
    """Warn of options that are set and mean nothing to the configured API."""
    for option in OPTIONS:
        other = api_of(option)
        if other not in (None, api) and reader.is_set(option):
            reader.report.warn(
                reader.place(option.section, option.key),
                f"has no effect with [traptor] api = {api}; it is an option of {other}",
            )
