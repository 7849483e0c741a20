"""Turn drafts of keys into the pool's keys: each must be complete, and no two the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from traptor.common.config.keys.draft import KeyDraft
from traptor.common.config.keys.key import OAUTH_PARTS, ApiKey
from traptor.common.config.keys.members import KeyMembers
from traptor.common.config.report import Position, Problems


@dataclass(frozen=True, slots=True)
class _Checked:
    key: ApiKey
    place: Position


class KeyChecks:
    """Makes keys of drafts; all problems go to the report."""

    def __init__(self, report: Problems) -> None:
        self._report = report

    def keys(self, drafts: Iterable[KeyDraft]) -> tuple[ApiKey, ...]:
        """Return the usable keys, each with a unique name and identity."""
        checked = [one for draft in drafts if (one := self._check(draft)) is not None]
        distinct = self._without_doubles(checked, "is the same key as", lambda key: key.key_id)
        self._without_doubles(distinct, "has the same name as", lambda key: key.name)
        self._warn_of_shared_apps(distinct)
        return tuple(one.key for one in checked)

    # ---- one key

    def _check(self, draft: KeyDraft) -> _Checked | None:
        members = self._members(draft)
        if not self._is_for_v11(draft) or members is None or None in draft.members.values():
            return None
        key = ApiKey(**{"name": "", **members.model_dump(exclude_unset=True)})
        return _Checked(key if key.name else replace(key, name=f"key-{key.key_id}"), draft.place)

    def _members(self, draft: KeyDraft) -> KeyMembers | None:
        given = {"name": draft.name, **draft.members}
        values = {name: value for name, value in given.items() if value is not None}
        try:
            return KeyMembers.model_validate({name: value.text for name, value in values.items()})
        except ValidationError as error:
            # Nothing else of pydantic's error is used: its texts may quote values.
            for detail in error.errors(include_url=False, include_input=False):
                is_ours = detail["type"] == "value_error"
                text = str(detail["ctx"]["error"]) if is_ours else "has characters that are no Unicode"
                self._report.problem(values[str(detail["loc"][0])].place, text)
            return None

    def _is_for_v11(self, draft: KeyDraft) -> bool:
        missing = [part for part in OAUTH_PARTS if part not in draft.members]
        if not missing:
            return True
        if len(missing) == len(OAUTH_PARTS) and "bearer_token" in draft.members:
            self._report.warn(
                draft.place,
                "is not used: it has only a bearer token, and API v1.1 needs the four OAuth parts",
            )
        else:
            self._report.problem(draft.place, f"lacks {', '.join(missing)}; API v1.1 needs all four parts")
        return False

    # ---- all keys

    def _without_doubles(
        self, checked: list[_Checked], says: str, identity: Callable[[ApiKey], str]
    ) -> list[_Checked]:
        first: dict[str, _Checked] = {}
        for one in checked:
            earlier = first.setdefault(identity(one.key), one)
            if earlier is not one:
                self._report.problem(one.place, f"{says} the one at {earlier.place}")
        return list(first.values())

    def _warn_of_shared_apps(self, checked: list[_Checked]) -> None:
        apps: dict[str, list[_Checked]] = defaultdict(list)
        for one in checked:
            apps[one.key.consumer_key].append(one)
        for first, *others in apps.values():
            if others:
                names = ", ".join(one.key.name for one in (first, *others))
                self._report.warn(
                    others[0].place,
                    f"the keys {names} have one consumer_key: they share one app's limits",
                )
