"""The apps, and their credentials: bearer tokens, and consumer keys to obtain one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.apps.filters import FilterSet

_FIRST_APP_ID = 20_000_001
_BEARER, _BASIC, _OAUTH = "bearer ", "basic ", "oauth "


class Credentials(Protocol):
    """An account of the sandbox in its role as an app."""

    @property
    def name(self) -> str:
        """The name by which the app is known."""

    @property
    def consumer_key(self) -> str:
        """Identifies the app; accounts that share it are one app."""

    @property
    def consumer_secret(self) -> str:
        """Needed to get the bearer token."""

    @property
    def bearer_token(self) -> str:
        """The token; empty: one is derived."""


@dataclass(slots=True, eq=False)
class App:
    """One app: X's number for it and its filters."""

    name: str
    id: str
    filters: FilterSet = field(default_factory=FilterSet)


class BadCredentials(problems.Problem):
    """There is no token for these consumer keys; the body is not a problem document."""

    def __init__(self) -> None:
        error = {
            "code": 99,
            "message": "Unable to verify your credentials",
            "label": "authenticity_token_error",
        }
        super().__init__(403, {"errors": [error]})


class Apps:
    """All apps ever seen; each keeps its filters while the sandbox runs."""

    def __init__(
        self,
        known: Callable[[], Sequence[Credentials]],
        bearers: Mapping[str, str],
        is_open: Callable[[], bool],
    ) -> None:
        self._known = known
        self._bearers = dict(bearers)
        self._is_open = is_open
        self._apps: dict[str, App] = {}
        self._issued: dict[str, str] = {}  # name by token, when everybody is admitted

    def all(self) -> list[App]:
        """Return the apps that ever made a request, and the configured ones."""
        for name in self._tokens().values():
            self._app(name)
        return list(self._apps.values())

    def seen(self) -> Collection[App]:
        """Return the apps that ever made a request."""
        return self._apps.values()

    def named(self, name: str) -> App | None:
        """Return the app of this name."""
        return next((app for app in self.all() if app.name == name), None)

    def authenticate(self, authorization: str) -> App:
        """Return the app that the token belongs to. Raises Problem (401 or 403)."""
        kind, token = _split(authorization)
        if kind == _OAUTH:
            raise problems.unsupported_authentication()
        if kind != _BEARER or not token:
            raise problems.unauthorized()
        name = self._tokens().get(token)
        if name is None and self._takes_anybody:
            name = self._issued.get(token) or f"bearer-{_digest(token)[:8]}"
        if name is None:
            raise problems.unauthorized()
        return self._app(name)

    def issue(self, authorization: str) -> str:
        """Return the token of the app with these consumer keys. Raises BadCredentials."""
        key, secret = _basic(authorization)
        for one in self._known():
            if one.consumer_key == key and (one.consumer_secret == secret or self._is_open()):
                return self._token(self._names_by_key()[key], one)
        if not self._takes_anybody:
            raise BadCredentials
        token = _derived(key, secret)
        self._issued[token] = key
        return token

    @property
    def _takes_anybody(self) -> bool:
        return self._is_open() and not self._bearers

    def _app(self, name: str) -> App:
        if name not in self._apps:
            self._apps[name] = App(name, str(_FIRST_APP_ID + len(self._apps)))
        return self._apps[name]

    def _names_by_key(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for one in self._known():
            names.setdefault(one.consumer_key, one.name)
        return names

    def _tokens(self) -> dict[str, str]:
        """Return the name of each app by its token."""
        names = self._names_by_key()
        tokens = {token: name for name, token in self._bearers.items()}
        return {
            self._token(names[one.consumer_key], one): names[one.consumer_key] for one in self._known()
        } | tokens

    def _token(self, name: str, one: Credentials) -> str:
        return self._bearers.get(name) or one.bearer_token or _derived(one.consumer_key, one.consumer_secret)


def _split(authorization: str) -> tuple[str, str]:
    for kind in (_BEARER, _BASIC, _OAUTH):
        if authorization[: len(kind)].lower() == kind:
            return kind, authorization[len(kind) :].strip()
    return "", ""


def _basic(authorization: str) -> tuple[str, str]:
    kind, encoded = _split(authorization)
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    key, separator, secret = text.partition(":")
    if kind != _BASIC or not separator or not key:
        raise BadCredentials
    return unquote(key), unquote(secret)


def _derived(consumer_key: str, consumer_secret: str) -> str:
    """Return a token that looks like X's, including a character that must be sent unescaped."""
    return f"{'A' * 22}{_digest(f'{consumer_key}:{consumer_secret}')}%3D"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
