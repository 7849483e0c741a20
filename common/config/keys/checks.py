"""From the drafts of keys to the pool's keys: each must be whole, and no two the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TypeVar

from traptor.common.config.keys.draft import KeyDraft
from traptor.common.config.keys.key import OAUTH_PARTS, ApiKey
from traptor.common.config.kinds.quantities import read_count
from traptor.common.config.kinds.urls import read_proxy_url
from traptor.common.config.report import Place, Report
from traptor.common.config.source.expansion import Value

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[!-~]+")
_QUOTES = re.compile("[\"'`]")
_PLACEHOLDER = re.compile(
    r"(add|enter|fill|insert|my|paste|put|set|the|type|use|write)[ _-].*|(.*[ _-])?your[ _-].*|.*[ _-]here"
    r"|change[ _-]?(me|it)|replace[ _-]?(me|it|with.*)|[x-]{3,}|\.{3,}|\*+|<.*>|\[.*\]|\{.*\}|\$\w+|%\w+%"
    r"|(consumer|api|access|bearer)?[ _-]?(key|secret|token)([ _-]secret)?"
    r"|to[ _-]?do|tbd|n/?a|none|null|example|dummy",
    re.IGNORECASE,
)
_MOST_CONNECTIONS = 50


@dataclass(frozen=True, slots=True)
class _Checked:
    key: ApiKey
    place: Place


class KeyChecks:
    """Makes keys of drafts; all problems go to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def keys(self, drafts: Iterable[KeyDraft]) -> tuple[ApiKey, ...]:
        """The usable keys, each with a name and an identity of its own."""
        checked = [one for draft in drafts if (one := self._check(draft)) is not None]
        distinct = self._without_doubles(checked, "is the same key as", lambda key: key.key_id)
        self._without_doubles(distinct, "has the same name as", lambda key: key.name)
        self._warn_of_shared_apps(distinct)
        return tuple(one.key for one in checked)

    # ---- one key

    def _check(self, draft: KeyDraft) -> _Checked | None:
        problems = self._report.problem_count
        name = None if draft.name is None else self._read(draft.name, _read_name, None)
        key = self._key(draft)
        if not self._is_for_v11(draft):
            return None
        if self._report.problem_count > problems or None in draft.members.values():
            return None
        return _Checked(replace(key, name=name or f"key-{key.key_id}"), draft.place)

    def _key(self, draft: KeyDraft) -> ApiKey:
        def read(member: str, reader: Callable[[str], T], default: T) -> T:
            value = draft.members.get(member)
            return default if value is None else self._read(value, reader, default)

        return ApiKey(
            name="",
            consumer_key=read("consumer_key", _read_secret, ""),
            consumer_secret=read("consumer_secret", _read_secret, ""),
            access_token=read("access_token", _read_secret, ""),
            access_token_secret=read("access_token_secret", _read_secret, ""),
            bearer_token=read("bearer_token", _read_secret, "") or None,
            source_address=read("source_address", _read_address, None),
            proxy=read("proxy", _read_proxy, None),
            max_connections=read("max_connections", _read_connections, 1),
        )

    def _read(self, value: Value, reader: Callable[[str], T], default: T) -> T:
        try:
            return reader(value.text)
        except ValueError as error:
            self._report.problem(value.place, str(error))
            return default

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


# ---- what members may be; no message repeats a value, which may be a secret in the wrong place


def _read_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a key's name must be made of A-Z a-z 0-9 _ -")
    return text


def _read_secret(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    if _QUOTES.search(text):
        raise ValueError(
            "has a quotation mark, which no credential contains; write the credential without quotes"
        )
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError("is a placeholder; write the credential itself")
    if not _SECRET.fullmatch(text):
        raise ValueError("has a space, a line end or a character outside ASCII, which no credential contains")
    return text


def _read_address(text: str) -> str | None:
    if not text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError("must be an IP address of this host, such as 192.0.2.7") from None
    if address.is_multicast or address.is_unspecified:
        raise ValueError("must be the IP address of one interface of this host")
    return str(address)


def _read_proxy(text: str) -> str | None:
    return read_proxy_url(text) if text else None


def _read_connections(text: str) -> int:
    count = read_count(text)
    if not 1 <= count <= _MOST_CONNECTIONS:
        raise ValueError(f"must be from 1 to {_MOST_CONNECTIONS}")
    return count
