"""API keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.common.config.kinds.urls import url_secrets

APP_PARTS = ("consumer_key", "consumer_secret")
OAUTH_PARTS = (*APP_PARTS, "access_token", "access_token_secret")


@dataclass(frozen=True)
class ApiKey:
    """One set of API credentials, and how it connects; a missing part is empty.

    `source_address`: the IP address of this host to connect from; None: the host's default.
    `max_connections`: how many streams it may hold at once.
    `groups`: the groups that its app serves under API v2; None: all that this host serves.
    """

    name: str
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    access_token_secret: str = field(default="", repr=False)
    bearer_token: str | None = field(default=None, repr=False)
    source_address: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    max_connections: int = 1
    groups: GroupFilter | None = None

    @cached_property  # needed at every step and in every status
    def key_id(self) -> str:
        """8 hex digits, derived from consumer key and access token, that stay when secrets are renewed.

        They begin the SHA-256 of the JSON array of both, or of the bearer token alone if there is no consumer
        key: an array can be read in one way only, whatever characters its members have.
        """
        parts = [self.consumer_key, self.access_token] if self.consumer_key else [self.bearer_token or ""]
        return _digest(parts)[:8]

    @cached_property
    def secrets_fingerprint(self) -> str:
        """16 hex digits that differ when any credential does; nothing can be derived from them."""
        parts = [self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret]
        return _digest([*parts, self.bearer_token])[:16]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything about the key that must not appear in logs, including its proxy's password."""
        parts = (self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret)
        own = tuple(part for part in (*parts, self.bearer_token) if part)
        return own if self.proxy is None else (*own, *url_secrets(self.proxy))


def _digest(parts: Sequence[str | None]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
