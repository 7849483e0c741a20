"""Choose the key to ask X with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traptor.common.config.proxies import proxy_to_api
from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError

if TYPE_CHECKING:
    from traptor.rulekit.lookups.asker import Asker


class XRefused(TraptorError):
    """X did not answer a question, or refused it."""


def asker_of(settings: Settings, key_name: str | None = None) -> Asker:
    """Return what asks X, with the named key or the first that can. Raises TraptorError when none can."""
    able = [key for key in settings.keys if key.bearer_token or key.consumer_secret]
    key = next((key for key in able if key_name in (None, key.name)), None)
    if key is None:
        known = ", ".join(one.name for one in able) or "there is none"
        wanted = key_name or "with a bearer token or a consumer key"
        raise TraptorError(f"no key {wanted} to ask X with: {known}")
    twitter = settings.twitter
    ca_file = str(twitter.stream_ca_file) if twitter.stream_ca_file else None
    from traptor.rulekit.lookups.asker import Asker  # with a library that takes a while, for few

    return Asker(key, twitter.api_url, proxy_to_api(settings, key), ca_file)
