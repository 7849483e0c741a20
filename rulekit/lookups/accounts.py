"""Accounts at X by name and by id, a hundred a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from traptor.common.text import cut, printable

if TYPE_CHECKING:
    from traptor.rulekit.lookups.asker import Asker

TOGETHER = 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class XAccount:
    """An account, or why there is none: `gone` is a sentence."""

    id: str = ""
    username: str = ""
    gone: str = ""


def by_names(asker: Asker, names: Sequence[str], progress: Progress) -> dict[str, XAccount]:
    """Return the accounts with these names, by name in lower case. Raises XRefused."""
    return _looked_up(
        asker, "/2/users/by", "usernames", "username", [name.lower() for name in names], progress
    )


def by_ids(asker: Asker, ids: Sequence[str], progress: Progress) -> dict[str, XAccount]:
    """Return the accounts with these ids, by id. Raises XRefused."""
    return _looked_up(asker, "/2/users", "ids", "id", ids, progress)


def _looked_up(
    asker: Asker, path: str, parameter: str, member: str, wanted: Sequence[str], progress: Progress
) -> dict[str, XAccount]:
    found: dict[str, XAccount] = {}
    for part in _batches(wanted):
        answer = asker.get(path, {parameter: ",".join(part)})
        found |= dict(_accounts(answer.get("data"), member))
        reasons = dict(_reasons(answer.get("errors")))
        for one in part:
            found.setdefault(one, XAccount(gone=reasons.get(one, "X does not know it")))
        progress(len(found), len(wanted))
    return found


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(dict.fromkeys(items))
    while part := list(islice(remaining, TOGETHER)):
        yield part


def _accounts(data: Any, member: str) -> Iterator[tuple[str, XAccount]]:
    for item in data if isinstance(data, list) else ():
        if (
            isinstance(item, dict)
            and isinstance(item.get("id"), str)
            and isinstance(item.get("username"), str)
        ):
            yield item[member].lower(), XAccount(item["id"], item["username"])


def _reasons(errors: Any) -> Iterator[tuple[str, str]]:
    for item in errors if isinstance(errors, list) else ():
        if isinstance(item, dict):
            said = item.get("detail") or item.get("title") or "X does not know it"
            yield str(item.get("value", "")).lower(), cut(printable(str(said)), 200)
