"""Ask X with one app's bearer token; the token appears in no message."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
import requests

from traptor.common.config.keys.key import ApiKey
from traptor.common.http.adapter import LimitedAdapter
from traptor.common.http.timelimit import TimeLimit
from traptor.common.text import cut, printable
from traptor.rulekit.lookups.question import XRefused

TIMEOUT_S = 30.0  # of a request from the connect to the last byte
_MAX_ANSWER_BYTES = 4 << 20  # a hundred accounts with all fields have less than a tenth of that
_PIECE_BYTES = 1 << 16
_SAID_CHARACTERS = 300


class Asker:
    """Asks X with a key: each question on a connection of its own, and within `timeout_s` in all."""

    def __init__(
        self,
        key: ApiKey,
        api_url: str,
        proxy: str | None = None,
        ca_file: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._key = key
        self._url = api_url.rstrip("/")
        self._token = key.bearer_token or ""
        self._proxy = proxy
        self._ca_file = ca_file
        self._timeout_s = timeout_s

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
        limit = TimeLimit(self._timeout_s)
        try:
            limit.begin()
            with (
                self._session(limit) as session,
                session.request(
                    method,
                    f"{self._url}{path}",
                    params=params,
                    data=data,
                    headers={**headers, "Accept-Encoding": "identity"},  # else a small answer may unfold
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                status, content = answer.status_code, _content(answer)
            if limit.overdue:  # an answer that was cut off may look like one that ended
                raise TimeoutError
        except (requests.RequestException, OSError) as error:
            # Its text holds the request; only its kind is told.
            why = limit.overdue or type(error).__name__
            raise XRefused(f"{self._url} cannot be asked: {why}; check [twitter] api_url") from None
        finally:
            limit.end()
        if status >= 300 or not isinstance(content, dict):
            raise XRefused(f"{path}: X answered {status}: {_reason(content)}; nothing was changed")
        return content

    def _session(self, limit: TimeLimit) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        if self._proxy:
            session.proxies = {"http": self._proxy, "https": self._proxy}
        if self._ca_file:
            session.verify = self._ca_file
        for scheme in ("http://", "https://"):
            session.mount(scheme, LimitedAdapter(limit, self._key.source_address))
        return session


def _content(answer: requests.Response) -> object:
    """Return the JSON of an answer; None where it is none, or longer than any that X could mean."""
    raw = bytearray()
    for piece in answer.iter_content(_PIECE_BYTES):
        raw += piece
        if len(raw) > _MAX_ANSWER_BYTES:
            return None
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


def _reason(content: object) -> str:
    if not isinstance(content, dict):
        return "its answer cannot be read"
    errors = content.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    texts = (first.get("message"), content.get("detail"), content.get("title"))
    said = next((text for text in texts if isinstance(text, str) and text), "no reason given")
    return cut(printable(said), _SAID_CHARACTERS)
