"""Choose the proxy to X's API, in one place for the master and for what else asks X."""

from __future__ import annotations

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.kinds import ENVIRONMENT
from traptor.common.config.settings import Settings


def proxy_to_api(settings: Settings, key: ApiKey) -> str | None:
    """Return the key's own proxy, else that of the environment where the operator says so."""
    if key.proxy is not None or settings.twitter.proxy != ENVIRONMENT:
        return key.proxy
    from requests.utils import (  # they take a while, for few
        get_environ_proxies,
        prepend_scheme_if_needed,
        select_proxy,
    )

    url = settings.twitter.api_url
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    full: str = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]  # of requests
    return full
