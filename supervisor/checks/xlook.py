"""Ask X, without changing anything, which filters stand in each app: for `--check` and `--plan` under v2."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.supervisor.apps.configured import route
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.client import XClient, fetch_bearer
from traptor.supervisor.xapi.exchange import Exchange, x_session
from traptor.supervisor.xapi.failures import XFailure


@dataclass(frozen=True, slots=True)
class XLook:
    """What X told of one app: its filters, or why they are not known."""

    filters: tuple[ListedFilter, ...] | None = None
    trouble: str = ""


async def look_at_apps(settings: Settings) -> dict[str, XLook]:
    """Return what X tells of each key's app, by key_id."""
    looks = await asyncio.gather(*(_look(settings, key) for key in settings.keys))
    return {key.key_id: look for key, look in zip(settings.keys, looks, strict=True)}


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
