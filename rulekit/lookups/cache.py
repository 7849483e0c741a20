"""Accounts that were looked up, kept in Redis with the time, so that nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import orjson
import redis

from traptor.common.redis.client import REDIS_ERRORS, unavailable, values
from traptor.rulekit.lookups.accounts import XAccount

KEY = "traptor:names"
FRESH_S = 30 * 86_400.0
GONE_FRESH_S = 86_400.0  # an account that is not there may come back
_TOGETHER = 1_000


class NameCache:
    """The hash `traptor:names`: a name in lower case, and what X said of it when."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def known(self, names: Sequence[str], now_unix_s: float) -> dict[str, XAccount]:
        """Return the accounts that were looked up not long ago, by name. Raises RedisUnavailable."""
        found = {}
        try:
            for start in range(0, len(names), _TOGETHER):
                part = [name.lower() for name in names[start : start + _TOGETHER]]
                replies = values(len(part))(self._client.hmget(KEY, part))
                for name, raw in zip(part, replies, strict=True):
                    account = _read(raw, now_unix_s)
                    if account is not None:
                        found[name] = account
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error
        return found

    def keep(self, accounts: Mapping[str, XAccount], now_unix_s: float) -> None:
        """Keep what X said. Raises RedisUnavailable."""
        remaining = iter(accounts.items())
        try:
            while part := list(islice(remaining, _TOGETHER)):
                items = [piece for name, one in part for piece in (name, _written(one, now_unix_s))]
                self._client.hset(KEY, items=items)
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error


def _written(account: XAccount, now_unix_s: float) -> bytes:
    content = {"id": account.id, "username": account.username, "gone": account.gone, "at": int(now_unix_s)}
    return orjson.dumps(content)


def _read(raw: bytes | None, now_unix_s: float) -> XAccount | None:
    if raw is None:
        return None
    try:
        content = orjson.loads(raw)
        account = XAccount(str(content["id"]), str(content["username"]), str(content["gone"]))
        age_s = now_unix_s - float(content["at"])
    except (ValueError, KeyError, TypeError):
        return None
    return account if age_s < (GONE_FRESH_S if account.gone else FRESH_S) else None
