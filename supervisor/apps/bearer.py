"""The bearer token of one app: given by the operator, or fetched with its consumer key."""

from __future__ import annotations

import logging
from collections.abc import Callable

from traptor.common.config.keys.key import ApiKey
from traptor.common.logs.event import fields
from traptor.common.timing.backoff import doubled
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.conduct.failures import LONGEST_ASKED_S
from traptor.supervisor.xapi.client import fetch_bearer
from traptor.supervisor.xapi.exchange import Exchange
from traptor.supervisor.xapi.failures import CapExceeded, KeyRefused, OutOfCredit, RateLimited, XFailure

log = logging.getLogger(__name__)

_FIRST_REST_S = 5.0
_LAST_REST_S = 320.0
_FIRST_LIMITED_S = 60.0  # after a 429
_LAST_LIMITED_S = 900.0
_REFUSED_S = 900.0
_LASTING_S = 900.0  # a fetched token that X refuses sooner was never good
_LASTING = (KeyRefused, OutOfCredit, CapExceeded)  # waiting alone seldom helps


class Bearer:
    """Owns the token; no method logs it. `on_secret` is called with a fetched one before anybody uses it."""

    def __init__(self, key: ApiKey, clock: Callable[[], Instant], on_secret: Callable[[str], object]) -> None:
        self._key = key
        self._clock = clock
        self._on_secret = on_secret
        self._fetched = ""
        self._refused = ""  # a token that X does not take
        self._fetched_at = 0.0
        self._useless = 0  # fetched tokens in a row that X soon refused
        self._failures = 0
        self._rest_until = 0.0
        self._failure: XFailure | None = None

    @property
    def token(self) -> str:
        """The token, or "" when there is none that X may take."""
        token = self._key.bearer_token or self._fetched
        return "" if token == self._refused else token

    def change(self, key: ApiKey) -> None:
        """Take over changed credentials; they are tried at once."""
        if not self._has(key):
            self.retry()
        self._key = key

    def retry(self) -> None:
        """Forget what X refused: a given token may be used again, any other is fetched anew."""
        if self._failure is not None:
            log.info("bearer token is tried again", extra=fields(key=self._key.name))
        self._fetched = self._refused = ""
        self._failures, self._useless, self._rest_until, self._failure = 0, 0, 0.0, None

    def refused(self, token: str, why: str) -> None:
        """Record that X does not take this token.

        A fetched one is fetched anew: at once where it may have been revoked, else after a while.
        """
        if not token or token != self.token:
            return  # it was replaced meanwhile
        now = self._clock().mono
        self._refused = token
        self._failure = KeyRefused(why)
        if self._key.bearer_token:
            self._rest_until = now + _REFUSED_S
        else:
            self._useless = self._useless + 1 if now < self._fetched_at + _LASTING_S else 0
            if self._useless > 1:
                self._rest_until = now + doubled(_FIRST_REST_S, self._useless - 2, _LAST_REST_S)
        # Nothing of the app streams until there is another one; a revoked one is replaced at once.
        level = logging.ERROR if self._rest_until > now else logging.WARNING
        log.log(level, "bearer token refused", extra=fields(key=self._key.name, why=why))

    async def fetch(self, exchange: Exchange) -> None:
        """Fetch a token where one is needed and may be asked for now.

        An answer to credentials that are replaced meanwhile says nothing of the new ones.
        """
        now = self._clock().mono
        if self.token or now < self._rest_until:
            return
        if self._key.bearer_token:  # a given one: after a while it is tried once more
            self._refused, self._failure = "", None
            log.info("bearer token is tried again", extra=fields(key=self._key.name))
            return
        key = self._key
        try:
            token = await fetch_bearer(exchange, key.consumer_key, key.consumer_secret)
        except XFailure as failure:
            if self._has(key):
                self._failed(failure)
            return
        self._on_secret(token)
        if not self._has(key):
            return
        if token == self._refused:  # the same again
            why = "" if self._failure is None else f": {self._failure}"
            self._failed(KeyRefused(f"X gives the bearer token again that it refuses{why}"))
            self._fetched = self._refused = ""
            return
        self._fetched, self._fetched_at = token, self._clock().mono
        self._failures, self._failure = 0, None
        log.info("bearer token fetched", extra=fields(key=self._key.name))

    def again_at(self) -> float | None:
        """Return when `fetch` should be tried (monotonic seconds); None while there is a token."""
        return None if self.token else max(self._rest_until, self._clock().mono)

    def hold(self) -> Hold | None:
        """Return why there is no token."""
        if self.token:
            return None
        now = self._clock()
        until = now.wall + self._rest_until - now.mono if self._rest_until > now.mono else None
        if isinstance(self._failure, KeyRefused):
            return Hold(HoldKind.BEARER_REFUSED, str(self._failure), until)
        if self._failure is not None:
            return Hold.after(self._failure, HoldKind.NO_BEARER, str(self._failure), until)
        return Hold(HoldKind.NO_BEARER, "its bearer token is being fetched", until)

    def _has(self, key: ApiKey) -> bool:
        return key.secrets_fingerprint == self._key.secrets_fingerprint

    def _failed(self, failure: XFailure) -> None:
        now = self._clock()
        asked_s = failure.quota.retry_after_s or 0.0
        match failure:
            case KeyRefused():
                rest_s = _REFUSED_S
            case RateLimited():
                rest_s = doubled(_FIRST_LIMITED_S, self._failures, _LAST_LIMITED_S)
                asked_s = max(asked_s, failure.quota.reset_s(now.wall) or 0.0)
            case _:
                rest_s = doubled(_FIRST_REST_S, self._failures, _LAST_REST_S)
        self._rest_until = now.mono + max(rest_s, min(asked_s, LONGEST_ASKED_S))
        self._failures += 1
        self._failure = failure
        level = logging.ERROR if isinstance(failure, _LASTING) else logging.WARNING
        log.log(level, "bearer token not fetched", extra=fields(key=self._key.name, error=str(failure)))
