"""Decide whether a request may be answered, by where it came from and what it asks for. Pure.

Whoever may open the control socket may do everything. Over TCP a request may read; to change something, or
to read tweets, it needs a token. `Host` and `Origin` are checked, or any page that a browser on this host
shows could ask (DNS rebinding, cross-site requests).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """What decides about a request that came over TCP."""

    method: str
    is_private: bool  # the answer contains tweets
    host: str = ""
    origin: str | None = None
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is not answered: the status, and a sentence."""

    status: int
    detail: str


def denial(asked: RemoteRequest, tokens: Collection[str], hosts: Collection[str]) -> Denial | None:
    """Return why the request is refused, or None; `hosts` are the names that are accepted."""
    if not _is_ours(asked.host, hosts):
        return Denial(421, "this is not a name of this server; [http] hosts lists the accepted ones")
    if asked.origin is not None and not _is_same(asked.origin, asked.host):
        return Denial(403, "requests of other sites are refused")
    if asked.method in READS and not asked.is_private:
        return None
    if not tokens:
        return Denial(403, "this needs the control socket, or [http] token to be set")
    if _token_among(asked.authorization, tokens) is None:
        return Denial(
            401,
            "this needs `Authorization: Bearer TOKEN`, with a token of [http] token or tokens, or the"
            " control socket",
        )
    return None


def holder(authorization: str, names: Mapping[str, str]) -> str | None:
    """Return the name of the token that a request brings, by the names of tokens; None for no valid one."""
    token = _token_among(authorization, names)
    return None if token is None else names[token]


def _is_ours(host: str, hosts: Collection[str]) -> bool:
    """Accept addresses, localhost, and configured names: rebinding needs a name of somebody else."""
    name = _name(host)
    return name == "localhost" or _is_address(name) or host.lower() in hosts or name in hosts


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _token_among(authorization: str, tokens: Iterable[str]) -> str | None:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != _SCHEME:
        return None
    text = given.strip().encode(errors="replace")
    return next((token for token in tokens if hmac.compare_digest(text, token.encode())), None)
