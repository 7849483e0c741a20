"""What the original's API asked Twitter: an account's id, its name, and how busy a word is."""

from __future__ import annotations

import time
from collections.abc import Callable

from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import RuleType
from traptor.rulekit.lookups.accounts import XAccount, by_ids, by_names
from traptor.rulekit.lookups.cache import NameCache
from traptor.rulekit.lookups.question import XRefused, asker_of
from traptor.rulekit.lookups.volume import inquiry, volumes
from traptor.rulekit.service.aside import Aside

_DAY_S = 86_400.0


class Questions:
    """Asks X in a thread, and pays for it; names that were looked up are kept in Redis."""

    def __init__(self, settings: Callable[[], Settings], aside: Aside) -> None:
        self._settings = settings
        self._aside = aside

    async def id_of(self, name: str) -> str:
        """Return the id of the account. Raises TraptorError."""
        return (await self._aside.run(lambda: self._by_name(name.lower()))).id

    async def name_of(self, user_id: str) -> str:
        """Return the name of the account. Raises TraptorError."""
        return (await self._aside.run(lambda: self._by_id(user_id))).username

    async def tweets_a_second(self, values: tuple[str, ...]) -> float:
        """Return how many posts these phrases find, by X's counts of the last days. Raises TraptorError."""
        return await self._aside.run(lambda: self._rate(values))

    def _by_name(self, name: str) -> XAccount:
        of = self._settings().redis
        client = blocking_redis_client(of.url, of.timeout, of.ca_file)
        try:
            cache, now = NameCache(client), time.time()
            found = cache.known([name], now)
            if name not in found:
                found = by_names(asker_of(self._settings()), [name], _quiet)
                cache.keep(found, now)
        finally:
            client.close()
        return _existing(found[name])

    def _by_id(self, user_id: str) -> XAccount:
        return _existing(by_ids(asker_of(self._settings()), [user_id], _quiet)[user_id])

    def _rate(self, values: tuple[str, ...]) -> float:
        [volume] = volumes(asker_of(self._settings()), [inquiry(RuleType.TRACK, "", "", values)], _quiet)
        if volume.reason:
            raise XRefused(volume.reason)
        return volume.posts_a_day / _DAY_S


def _existing(account: XAccount) -> XAccount:
    if account.gone:
        raise TraptorError(account.gone)
    return account


def _quiet(_done: int, _total: int) -> None:
    """Show no progress."""
