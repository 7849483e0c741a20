"""Ask X about compliance jobs, as the operator's ini says: with which key, and by which way."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError
from traptor.supervisor.apps.configured import route
from traptor.supervisor.xapi.client import fetch_bearer
from traptor.supervisor.xapi.compliance import ComplianceClient
from traptor.supervisor.xapi.exchange import Exchange, x_session
from traptor.supervisor.xapi.transfer import Transfer


class AskableApp(NamedTuple):
    """An app that can be asked."""

    client: ComplianceClient
    transfer: Transfer


def key_of(settings: Settings, name: str | None) -> ApiKey:
    """Return the named key, or the first that can ask. Raises TraptorError when there is none."""
    able = [key for key in settings.keys if key.bearer_token or key.consumer_secret]
    found = next((key for key in able if name in (None, key.name)), None)
    if found is None:
        known = ", ".join(key.name for key in able) or "there is none"
        wanted = name or "with a bearer token or a consumer key"
        raise TraptorError(f"no key {wanted} to ask X with: {known}")
    return found


@asynccontextmanager
async def asked(settings: Settings, key: ApiKey) -> AsyncIterator[AskableApp]:
    """Ask with a key's app. Raises XFailure when no bearer token can be fetched, and TraptorError."""
    way = route(settings, key)
    try:
        tls = ssl.create_default_context(cafile=way.ca_file) if way.ca_file is not None else None
    except OSError as error:
        raise TraptorError(f"{way.ca_file} cannot be used: {error.strerror or 'no certificates'}") from None
    async with x_session(tls, way.source_address) as session:
        exchange = Exchange(session, way.api_url, way.proxy)
        token = key.bearer_token or await fetch_bearer(exchange, key.consumer_key, key.consumer_secret)
        transfer = Transfer(session, way.api_url, token, way.proxy)
        yield AskableApp(ComplianceClient(exchange, token), transfer)
