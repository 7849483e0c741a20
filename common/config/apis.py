"""Options that only one of the two APIs has."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import JSONL, KAFKA, STDOUT
from traptor.common.config.kinds.v2 import LAST, NATIVE, V1, V2
from traptor.common.config.options import Option
from traptor.common.config.reader import SettingsReader
from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.sections.traptor import TraptorSection

_TRAPTOR = TraptorSection.section


def api_of(option: Option) -> str | None:
    """Return the only API that has the option, as its meaning begins; None when both have it."""
    return next((api for api in (V1, V2) if option.meaning.startswith(f"{api}: ")), None)


def require_expand(reader: SettingsReader, traptor: TraptorSection) -> None:
    """Report a rebuilt payload whose price and gaps the operator did not choose."""
    expand = next(one for one in OPTIONS if (one.section, one.key) == (_TRAPTOR, "expand"))
    if reader.is_set(expand):
        return
    if traptor.payload != NATIVE:
        option, what = "payload", traptor.payload
    elif traptor.output_trial:
        option, what = "output_trial", f"a trial of {V1}"
    else:
        return
    reader.report.problem(
        reader.place(_TRAPTOR, option),
        f"{what} needs `expand` to be set, which decides what such a tweet lacks and what it costs:"
        " `none`, `posts`, `users` or `all`",
    )


def require_keys_for_edits(reader: SettingsReader, traptor: TraptorSection) -> None:
    """Report `edits = last` for an output without keys."""
    if traptor.edits == LAST and traptor.output != KAFKA:
        reader.report.problem(
            reader.place(_TRAPTOR, "edits"),
            f"{LAST} needs output = kafka: lines have no key. Remove it, and have readers compare"
            " `edit_history_tweet_ids`",
        )


def require_place_for_trial(reader: SettingsReader, traptor: TraptorSection, topic: str) -> None:
    """Report a trial that would have no other form, or no place of its own; `topic` is that of [kafka]."""
    name = traptor.output_trial
    if name and (problem := _problem_of_trial(traptor, name, topic)):
        reader.report.problem(reader.place(_TRAPTOR, "output_trial"), problem)


def _problem_of_trial(traptor: TraptorSection, name: str, topic: str) -> str:
    if traptor.api != V2:
        return f"needs api = {V2}: {V1} has one form only, so remove the line"
    if traptor.output == f"{JSONL}{STDOUT}":
        return "needs output = kafka or output = jsonl:DIR: stdout is one place only"
    other = traptor.other_messages
    taken = {other: "other_messages"} if other not in ("topic", "drop") else {}
    if traptor.output == KAFKA:
        taken |= {topic: "[kafka] topic", f"{topic}.dlq": "the dead letters of [kafka] topic"}
    where = next((taken[one] for one in (name, f"{name}.dlq") if one in taken), None)
    return f"must have a name of its own: {where} has this one, or that of its dead letters" if where else ""


def warn_of_idle_options(reader: SettingsReader, api: str) -> None:
    """Warn of options that are set and mean nothing to the configured API."""
    for option in OPTIONS:
        other = api_of(option)
        if other not in (None, api) and reader.is_set(option):
            reader.report.warn(
                reader.place(option.section, option.key),
                f"has no effect with [traptor] api = {api}; it is an option of {other}",
            )
