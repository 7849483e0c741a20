"""Ask X, without changing anything, which filters stand in each app: for `--check` and `--plan` under v2."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError
from traptor.supervisor.apps.configured import route
from traptor.supervisor.filters.sync.memory import load_standing
from traptor.supervisor.filters.sync.standing import Refusal
from traptor.supervisor.state.store import kept_standing
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.client import XClient, fetch_bearer
from traptor.supervisor.xapi.exchange import Exchange, x_session
from traptor.supervisor.xapi.failures import XFailure


@dataclass(frozen=True, slots=True)
class XLook:
    """What X told of one app: its filters, or why they are not known, and values that it refused lately."""

    filters: tuple[ListedFilter, ...] | None = None
    trouble: str = ""
    refused: Mapping[str, Refusal] = field(default_factory=dict)


async def look_at_apps(settings: Settings) -> dict[str, XLook]:
    """Return what X tells of each key's app, by key_id."""
    looks = await asyncio.gather(*(_look(settings, key) for key in settings.keys))
    refused = _refused(settings)
    return {
        key.key_id: replace(look, refused=refused.get(key.key_id, {}))
        for key, look in zip(settings.keys, looks, strict=True)
    }


def _refused(settings: Settings) -> dict[str, Mapping[str, Refusal]]:
    """Return the values that X refused to a supervisor lately, by key_id: it does not ask for them again yet.

    None where that cannot be read: a plan is made without it.
    """
    try:
        kept = kept_standing(settings.supervisor.state_dir / "state.db")
        return {key_id: load_standing(pieces, 0.0, time.time()).refused for key_id, pieces in kept.items()}
    except (TraptorError, ValueError):
        return {}


async def _look(settings: Settings, key: ApiKey) -> XLook:
    way = route(settings, key)
    try:
        tls = ssl.create_default_context(cafile=way.ca_file) if way.ca_file is not None else None
    except OSError as error:
        return XLook(trouble=f"{way.ca_file} cannot be used: {error.strerror or 'no certificates'}")
    async with x_session(tls, way.source_address) as session:
        exchange = Exchange(session, way.api_url, way.proxy)
        try:
            token = key.bearer_token or await fetch_bearer(exchange, key.consumer_key, key.consumer_secret)
            return XLook(await XClient(exchange, token).filters())
        except XFailure as failure:
            return XLook(trouble=str(failure))
