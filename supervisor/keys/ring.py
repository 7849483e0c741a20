"""The configured keys: which there are, which of them this host can use, and what a reload changes. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.keys.news import News


@dataclass(frozen=True, slots=True)
class PoolChange:
    """The changes of a reload, and the keys that cannot be used on this host, by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # new secrets, source address or proxy
    resized: tuple[str, ...] = ()  # new max_connections
    unusable: tuple[str, ...] = ()


class KeyRing(Mapping[str, ApiKey]):
    """Maps key_id to configured key, in the order given; knows the removed keys that are still lent, too."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._keys: dict[str, ApiKey] = {}
        self._gone: dict[str, ApiKey] = {}  # no longer configured, but still lent
        self._off_host: frozenset[str] = frozenset()
        self._missed: frozenset[str] = frozenset()  # keys whose address the last check did not find

    def __getitem__(self, key_id: str) -> ApiKey:
        return self._keys[key_id]

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def named(self, name: str) -> ApiKey | None:
        """Return the configured key of this name, or None."""
        return next((key for key in self._keys.values() if key.name == name), None)

    def names(self, key_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the names of configured keys, sorted."""
        return _names(self._keys, key_ids)

    def known(self) -> dict[str, ApiKey]:
        """Return the configured keys, and the removed ones that are still lent."""
        return self._keys | self._gone

    def is_off_host(self, key_id: str) -> bool:
        """Tell whether the key's source address is not on this host."""
        return key_id in self._off_host

    # ---- changes

    def difference(self, keys: Iterable[ApiKey], usable_addresses: Callable[[str], bool]) -> PoolChange:
        """Return what `replace` would change."""
        new = _by_id(keys)
        return _change(self._keys, new, _without_address(new, usable_addresses))

    def replace(
        self, keys: Iterable[ApiKey], usable_addresses: Callable[[str], bool], lent: Collection[str]
    ) -> PoolChange:
        """Replace the list of keys; `lent` are the key_ids of which slots are lent."""
        old, new = self._keys, _by_id(keys)
        self._keys = new
        self._off_host = self._missed = _without_address(new, usable_addresses)
        removed = (self._gone | old).items()
        self._gone = {key_id: key for key_id, key in removed if key_id not in new and key_id in lent}
        self._news.all_changed(self.known())
        return _change(old, new, self._off_host)

    def look_at_addresses(
        self, usable_addresses: Callable[[str], bool]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Check which source addresses are present; return the names of keys without one, and of those back.

        An address counts as gone when two checks in a row miss it: an interface may flap.
        """
        missing = _without_address(self._keys, usable_addresses)
        gone, back = (missing & self._missed) - self._off_host, self._off_host - missing
        self._missed, self._off_host = missing, (self._off_host | gone) - back
        for key_id in gone | back:
            self._news.changed(key_id)
        if back:
            self._news.relieved()
        return self.names(gone), self.names(back)

    def returned(self, key_id: str) -> None:
        """Forget a removed key: its last slot came back."""
        self._gone.pop(key_id, None)


def terms_of(key: ApiKey) -> str:
    """Return a fingerprint of the key's secrets, address and proxy; secrets salt a weak proxy password."""
    parts = (
        key.consumer_key,
        key.consumer_secret,
        key.access_token,
        key.access_token_secret,
        key.bearer_token,
        key.source_address,
        key.proxy,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _change(old: Mapping[str, ApiKey], new: Mapping[str, ApiKey], off_host: frozenset[str]) -> PoolChange:
    both = [(old[key_id], new[key_id]) for key_id in old.keys() & new.keys()]
    return PoolChange(
        added=_names(new, new.keys() - old.keys()),
        removed=_names(old, old.keys() - new.keys()),
        changed=_sorted_names(now for before, now in both if terms_of(before) != terms_of(now)),
        resized=_sorted_names(now for before, now in both if before.max_connections != now.max_connections),
        unusable=_names(new, off_host),
    )


def _by_id(keys: Iterable[ApiKey]) -> dict[str, ApiKey]:
    return {key.key_id: key for key in keys}


def _without_address(keys: Mapping[str, ApiKey], usable_addresses: Callable[[str], bool]) -> frozenset[str]:
    return frozenset(
        key_id
        for key_id, key in keys.items()
        if key.source_address is not None and not usable_addresses(key.source_address)
    )


def _names(keys: Mapping[str, ApiKey], key_ids: Iterable[str]) -> tuple[str, ...]:
    return _sorted_names(keys[key_id] for key_id in key_ids)


def _sorted_names(keys: Iterable[ApiKey]) -> tuple[str, ...]:
    return tuple(sorted(key.name for key in keys))
