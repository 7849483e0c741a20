"""Keys and pools for the tests of the key pool."""

import random
from dataclasses import replace

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.pool import KeyPool


def make_key(name: str, **changes: object) -> ApiKey:
    key = ApiKey(
        name=name,
        consumer_key=f"consumer-{name}",
        consumer_secret=f"s3cret-consumer-{name}",
        access_token=f"token-{name}",
        access_token_secret=f"s3cret-token-{name}",
        bearer_token=None,
        source_address=None,
        proxy=None,
        max_connections=1,
    )
    return replace(key, **changes)


def on_host(_address: str) -> bool:
    return True


def make_pool(*keys: ApiKey, limits: PoolLimits | None = None) -> KeyPool:
    pool = KeyPool(limits or PoolLimits(), random.Random(0))
    pool.replace(keys, 0.0, on_host)
    return pool
