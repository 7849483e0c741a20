"""Turn drafts of keys into the pool's keys: each must be complete, and no two the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from pydantic import ValidationError

from traptor.common.config.keys.claims import PlacedKey, check_claims
from traptor.common.config.keys.draft import KeyDraft
from traptor.common.config.keys.key import APP_PARTS, OAUTH_PARTS, ApiKey
from traptor.common.config.keys.members import KeyMembers
from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.kinds.v2 import V2
from traptor.common.config.report import Position, Problems


@dataclass(frozen=True, slots=True)
class KeyNeeds:
    """What the rest of the ini asks of keys: the API, and the served groups with the place of that option."""

    api: str
    served: GroupFilter | None = None  # None: their section has a problem
    place: Position | None = None


class KeyChecks:
    """Makes keys of drafts; all problems go to the report."""

    def __init__(self, report: Problems, needs: KeyNeeds) -> None:
        self._report = report
        self._needs = needs

    def keys(self, drafts: Sequence[KeyDraft]) -> tuple[ApiKey, ...]:
        """Return the usable keys, each with a unique name and identity."""
        checked = [one for draft in drafts if (one := self._check(draft)) is not None]
        distinct = self._without_doubles(checked, "is the same key as", lambda key: key.key_id)
        self._without_doubles(distinct, "has the same name as", lambda key: key.name)
        if self._needs.api == V2:
            self._report_shared_apps(distinct)
            if len(checked) == len(drafts) and self._needs.served and self._needs.place:
                check_claims(distinct, self._needs.served, self._needs.place, self._report)
        else:
            self._warn_of_shared_apps(distinct)
        return tuple(one.key for one in checked)

    # ---- one key

    def _check(self, draft: KeyDraft) -> PlacedKey | None:
        members = self._members(draft)
        if not self._is_for_api(draft) or members is None or None in draft.members.values():
            return None
        key = ApiKey(**{"name": "", **{name: getattr(members, name) for name in members.model_fields_set}})
        return PlacedKey(key if key.name else replace(key, name=f"key-{key.key_id}"), draft.place)

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

    def _is_for_api(self, draft: KeyDraft) -> bool:
        return self._is_for_v2(draft) if self._needs.api == V2 else self._is_for_v1(draft)

    def _is_for_v2(self, draft: KeyDraft) -> bool:
        if "bearer_token" in draft.members or all(part in draft.members for part in APP_PARTS):
            return True
        self._report.problem(
            draft.place, f"lacks bearer_token, or {' and '.join(APP_PARTS)} to fetch it with, for API v2"
        )
        return False

    def _is_for_v1(self, draft: KeyDraft) -> bool:
        missing = [part for part in OAUTH_PARTS if part not in draft.members]
        if not missing:
            if "groups" in draft.members:
                self._report.warn(draft.place, "has groups, which have no effect with [traptor] api = v1.1")
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
        self, checked: list[PlacedKey], says: str, identity: Callable[[ApiKey], str]
    ) -> list[PlacedKey]:
        first: dict[str, PlacedKey] = {}
        for one in checked:
            earlier = first.setdefault(identity(one.key), one)
            if earlier is not one:
                self._report.problem(one.place, f"{says} the one at {earlier.place}")
        return list(first.values())

    def _report_shared_apps(self, checked: list[PlacedKey]) -> None:
        for identity in (attrgetter("consumer_key"), attrgetter("bearer_token")):
            having = [one for one in checked if identity(one.key)]
            self._without_doubles(having, "is of the same app as", identity)

    def _warn_of_shared_apps(self, checked: list[PlacedKey]) -> None:
        apps: dict[str, list[PlacedKey]] = defaultdict(list)
        for one in checked:
            apps[one.key.consumer_key].append(one)
        for first, *others in apps.values():
            if others:
                names = ", ".join(one.key.name for one in (first, *others))
                self._report.warn(
                    others[0].place,
                    f"the keys {names} have one consumer_key: they share one app's limits",
                )
