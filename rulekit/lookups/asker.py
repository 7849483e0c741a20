"""Ask X with one app's bearer token; the token appears in no message."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from traptor.common.config.keys.key import ApiKey
from traptor.common.text import cut, printable
from traptor.rulekit.lookups.question import XRefused

_TIMEOUT_S = 30.0
_SAID_CHARACTERS = 300


class Asker:
    """Asks X with a key. Use it in a `with` block."""

    def __init__(
        self, key: ApiKey, api_url: str, proxy: str | None = None, ca_file: str | None = None
    ) -> None:
        self._key = key
        self._url = api_url.rstrip("/")
        self._token = key.bearer_token or ""
        self._session = requests.Session()
        self._session.trust_env = False
        if proxy := key.proxy or proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        if ca_file:
            self._session.verify = ca_file
        if key.source_address:
            for scheme in ("http://", "https://"):
                self._session.mount(scheme, _FromAddress(key.source_address))

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer to a question. Raises XRefused."""
        if not self._token:
            self._token = self._fetch_token()
        return self._ask("GET", path, {"Authorization": f"Bearer {self._token}"}, params=params)

    def _fetch_token(self) -> str:
        parts = (quote(part, safe="") for part in (self._key.consumer_key, self._key.consumer_secret))
        basic = base64.b64encode(":".join(parts).encode()).decode()
        form = {"grant_type": "client_credentials"}
        answer = self._ask("POST", "/oauth2/token", {"Authorization": f"Basic {basic}"}, data=form)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise XRefused("X gave no bearer token for the key; give its bearer_token in the ini")
        return token

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method,
                f"{self._url}{path}",
                params=params,
                data=data,
                headers=dict(headers),
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            content = answer.json()
        except (ValueError, RecursionError):
            content = None
        except requests.RequestException as error:
            # Its text holds the request; only its kind is told.
            raise XRefused(
                f"{self._url} cannot be asked: {type(error).__name__}; check [twitter] api_url"
            ) from None
        if answer.status_code >= 300 or not isinstance(content, dict):
            raise XRefused(
                f"{path}: X answered {answer.status_code}: {_reason(content)}; nothing was changed"
            )
        return content


def _reason(content: object) -> str:
    if not isinstance(content, dict):
        return "its answer cannot be read"
    errors = content.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    texts = (first.get("message"), content.get("detail"), content.get("title"))
    said = next((text for text in texts if isinstance(text, str) and text), "no reason given")
    return cut(printable(said), _SAID_CHARACTERS)


class _FromAddress(HTTPAdapter):
    """Connects from one of this host's addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool of connections."""
        super().init_poolmanager(*args, **options, source_address=(self._address, 0))
