"""The inputs of a generation, and those of its stream: a difference requires a refresh."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.common.config.keys.key import ApiKey
from traptor.common.messages import Connect


@dataclass(frozen=True, slots=True)
class Spec:
    """The inputs of a generation: the half that is fixed at the fork."""

    rules: str  # fingerprint
    settings: str  # fingerprint
    ticket: int  # of the group's hints, at the time its snapshot was read
    orders: int = 0  # the operator's orders to restart the connection


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The inputs of a generation's stream: the half that each Connect sets."""

    key_id: str
    secrets: str  # fingerprint
    source_address: str | None
    proxy: str | None


def key_spec(key: ApiKey) -> KeySpec:
    """Return what distinguishes a stream with this key from one with it before a reload."""
    return KeySpec(key.key_id, key.secrets_fingerprint, key.source_address, key.proxy)


def connect_message(key: ApiKey, bearer_token: str = "") -> Connect:
    """Return the permission to connect with `key`; under v2 with the bearer token of its app alone."""
    if bearer_token:
        return Connect(
            key_id=key.key_id,
            key_name=key.name,
            bearer_token=bearer_token,
            source_address=key.source_address,
            proxy=key.proxy,
        )
    return Connect(
        key_id=key.key_id,
        key_name=key.name,
        consumer_key=key.consumer_key,
        consumer_secret=key.consumer_secret,
        access_token=key.access_token,
        access_token_secret=key.access_token_secret,
        source_address=key.source_address,
        proxy=key.proxy,
    )
