"""Accounts, and the check of OAuth 1.0a signatures (RFC 5849, HMAC-SHA1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml
from oauthlib.oauth1.rfc5849 import signature, utils

from traptor.sandbox.errors import BadInput, Refused
from traptor.sandbox.v1.filters import Pairs

MAX_SKEW_S = 300.0
_SECRETS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_REQUIRED = ("oauth_consumer_key", "oauth_token", "oauth_signature", "oauth_timestamp", "oauth_nonce")


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials, and how many streams it may hold open."""

    name: str
    consumer_key: str
    access_token: str
    consumer_secret: str = field(default="", repr=False)
    access_token_secret: str = field(default="", repr=False)
    max_connections: int = 1
    bearer_token: str = field(default="", repr=False)  # of the app at the X API v2; empty: one is derived


class SignedRequest(NamedTuple):
    """The parts of a request that its signature covers; `uri` is absolute and without the query."""

    http_method: str
    uri: str
    pairs: Pairs
    authorization: str


class _Verifiable(NamedTuple):
    http_method: str
    uri: str
    params: list[tuple[str, str]]
    signature: str


class Accounts:
    """The accounts that may connect; if none are given, every well-formed OAuth header is one."""

    def __init__(
        self, accounts: Iterable[Account] = (), *, is_open: bool = False, max_connections: int = 1
    ) -> None:
        self._always_open = is_open
        self._max_connections = max_connections
        self.replace(accounts)

    @property
    def is_open(self) -> bool:
        """True when signatures are not checked."""
        return self._always_open or not self._by_credentials

    @property
    def known(self) -> list[Account]:
        """The accounts that were given."""
        return list(self._by_credentials.values())

    @property
    def names(self) -> list[str]:
        """The names of the given accounts."""
        return [one.name for one in self._by_credentials.values()]

    def replace(self, accounts: Iterable[Account]) -> None:
        """Use these accounts from now on; open streams stay."""
        self._by_credentials = {(one.consumer_key, one.access_token): one for one in accounts}

    def authenticate(self, request: SignedRequest, now_unix_s: float) -> Account:
        """Return the account that signed the request. Raises Refused (401)."""
        claims = _claims(request.authorization)
        credentials = (claims["oauth_consumer_key"], claims["oauth_token"])
        account = self._by_credentials.get(credentials)
        if self.is_open:
            return account or self._anyone(*credentials)
        if account is None:
            raise Refused(401, "Unauthorized: unknown consumer key or token")
        _check_time(claims["oauth_timestamp"], now_unix_s)
        _check_signature(request, claims, account)
        return account

    def _anyone(self, consumer_key: str, token: str) -> Account:
        name = f"{consumer_key}/{token}"
        return Account(name, consumer_key, token, max_connections=self._max_connections)


def claimed_key(authorization: str) -> str | None:
    """Return the consumer key that a header claims, true or not; None when it is not an OAuth header."""
    try:
        return _claims(authorization)["oauth_consumer_key"]
    except Refused:
        return None


def _claims(authorization: str) -> dict[str, str]:
    try:
        claims = dict(utils.parse_authorization_header(authorization))
    except ValueError:
        raise Refused(401, "Unauthorized: no OAuth 1.0a header") from None
    missing = [name for name in _REQUIRED if not claims.get(name)]
    if missing:
        raise Refused(401, f"Unauthorized: the OAuth header lacks {', '.join(missing)}")
    return {name: utils.unescape(text) for name, text in claims.items()}


def _check_time(timestamp: str, now_unix_s: float) -> None:
    if not timestamp.isdecimal() or abs(int(timestamp) - now_unix_s) > MAX_SKEW_S:
        raise Refused(401, "Unauthorized: the timestamp is out of bounds")


def _check_signature(request: SignedRequest, claims: Mapping[str, str], account: Account) -> None:
    if claims.get("oauth_signature_method") != "HMAC-SHA1":
        raise Refused(401, "Unauthorized: the signature method must be HMAC-SHA1")
    params = signature.collect_parameters(
        body=list(request.pairs), headers={"Authorization": request.authorization}
    )
    verifiable = _Verifiable(request.http_method, request.uri, params, claims["oauth_signature"])
    if not signature.verify_hmac_sha1(verifiable, account.consumer_secret, account.access_token_secret):
        raise Refused(401, "Unauthorized: wrong signature")


def parse_accounts(entries: object, max_connections: int = 1) -> list[Account]:
    """Read a list of account objects, in the form of the accounts file and the API. Raises BadInput."""
    if not isinstance(entries, list):
        raise BadInput("accounts: a list is expected")
    accounts = [_account(number, entry, max_connections) for number, entry in enumerate(entries, start=1)]
    for what, keys in (
        ("name", [account.name for account in accounts]),
        ("pair of consumer_key and access_token", [(a.consumer_key, a.access_token) for a in accounts]),
    ):
        if len(set(keys)) != len(keys):
            raise BadInput(f"accounts: the same {what} occurs twice")
    return accounts


def load_accounts(path: Path, max_connections: int = 1) -> list[Account]:
    """Read the `apikeys:` list of a YAML file. Raises BadInput."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"{path}: cannot be read ({type(problem).__name__})") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)  # not its text, which quotes the file's secrets
        raise BadInput(f"{path}: not YAML (line {mark.line + 1 if mark else '?'})") from None
    if not isinstance(content, dict) or "apikeys" not in content:
        raise BadInput(f"{path}: a list under `apikeys:` is expected")
    try:
        return parse_accounts(content["apikeys"], max_connections)
    except BadInput as problem:
        raise BadInput(f"{path}: {problem}") from None


def _account(number: int, entry: object, max_connections: int) -> Account:
    if not isinstance(entry, dict):
        raise BadInput(f"account {number}: an object is expected")
    for name in _SECRETS:
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise BadInput(f"account {number}: {name} is missing or not a string")
    limit = entry.get("max_connections", max_connections)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise BadInput(f"account {number}: max_connections must be a whole number from 1")
    bearer = entry.get("bearer_token") or ""
    if not isinstance(bearer, str):
        raise BadInput(f"account {number}: bearer_token is not a string")
    name = str(entry.get("name") or f"account-{number}")
    secrets = {key: entry[key] for key in _SECRETS}
    return Account(name, max_connections=limit, bearer_token=bearer, **secrets)
