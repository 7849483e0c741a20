"""One key as an operator wrote it, in either file: not yet checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from traptor.common.config.keys.key import OAUTH_PARTS
from traptor.common.config.keys.members import KeyMembers
from traptor.common.config.report import Position, Problems
from traptor.common.config.source.expansion import Expansion, Value
from traptor.common.config.source.ini import OVER_LINES, IniSection
from traptor.common.config.spelling import unknown_member

SECRET_MEMBERS = (*OAUTH_PARTS, "bearer_token")
MEMBERS = tuple(name for name in KeyMembers.model_fields if name != "name")
SECTION_PREFIX = "key:"
_LISTS = frozenset({"groups"})  # may span lines


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """The members of a key by name; None for a member with a reported problem. `name` None: none is given."""

    place: Position
    members: Mapping[str, Value | None] = field(repr=False)
    name: Value | None


def draft_of_section(section: IniSection, expansion: Expansion, report: Problems) -> KeyDraft:
    """Return the draft in a `[key:NAME]` section; problems go to the report."""
    members: dict[str, Value | None] = {}
    for member, written in section.values.items():
        if member not in MEMBERS:
            report.problem(written.place, unknown_member(member, MEMBERS))
            continue
        named = replace(written, place=written.place.of(member))
        if "\n" in written.text and member not in _LISTS:
            report.problem(named.place, OVER_LINES)
            members[member] = None
        else:
            members[member] = expansion.expand(named, report)
    return KeyDraft(section.place, members, Value(section.name.removeprefix(SECTION_PREFIX), section.place))
