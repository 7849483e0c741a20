"""Check the URLs in the configuration, and show them without their passwords.

No message repeats a URL or a part of it, since any part may turn out to be a misplaced password.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, unquote, unquote_plus, urlencode, urlsplit

_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
_PROXY_SCHEMES = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
_REDIS_QUERY = frozenset({"db", "username", "password"})
_DATABASE = re.compile(r"/?|/[0-9]{1,9}")
_MASK = "***"


def read_redis_url(text: str) -> str:
    """Return a URL that redis-py accepts. Raises ValueError."""
    url = _split(text)
    if url.scheme not in _REDIS_SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://, such as redis://127.0.0.1:6379/0")
    if url.scheme == "unix":
        if not url.path.startswith("/"):
            raise ValueError("a unix:// URL must name the socket's full path, such as unix:///run/redis.sock")
    elif not url.hostname:
        raise ValueError("names no host; write it like redis://127.0.0.1:6379/0")
    elif not _DATABASE.fullmatch(url.path):
        raise ValueError("what follows the host must be the number of a database, such as /0")
    _check_redis_query(url)
    return text


def _check_redis_query(url: SplitResult) -> None:
    query = parse_qsl(url.query, keep_blank_values=True)
    if url.fragment or not {name for name, _ in query} <= _REDIS_QUERY:
        raise ValueError(
            "has parameters after the ? other than db, username and password"
            " (write %23 for # and %3F for ? in a password)"
        )
    if any(name == "db" and not re.fullmatch("[0-9]{1,9}", value) for name, value in query):
        raise ValueError("db after the ? must be the number of a database")


def read_proxy_url(text: str) -> str:
    """Return a proxy URL in the form that requests accepts. Raises ValueError."""
    url = _split(text)
    if url.scheme not in _PROXY_SCHEMES:
        raise ValueError("must begin with http://, https://, socks4://, socks5:// or socks5h://")
    if not url.hostname:
        raise ValueError("names no host; write it like http://user:password@proxy.example:3128")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(
            "must end after the host and port (write %2F for /, %23 for # and %3F for ? in a password)"
        )
    return text


def read_server_url(text: str) -> str:
    """Return the URL of a web server without its trailing slash. Raises ValueError."""
    url = _split(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("must be http:// or https:// and a host")
    if url.username is not None or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("must be the scheme, the host and perhaps a port, and nothing else")
    return text.rstrip("/")


def is_readable_on_the_way(text: str) -> bool:
    """Tell whether data sent to this server leaves the host unencrypted."""
    url = urlsplit(text)
    return url.scheme == "http" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address leads to this host itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def masked_url(text: str) -> str:
    """Return the URL for display: passwords become `***`, as does a lone user name (perhaps a token)."""
    url = urlsplit(text)
    if not url_secrets(text):
        return text
    user, at, host = url.netloc.rpartition("@")
    name, _, password = user.partition(":")
    shown_user = f"{name}:{_MASK}" if password else _MASK
    query = [
        (name, _MASK if name == "password" else value)
        for name, value in parse_qsl(url.query, keep_blank_values=True)
    ]
    netloc = f"{shown_user}@{host}" if at else host
    return url._replace(netloc=netloc, query=urlencode(query, safe="*")).geturl()


def url_secrets(text: str) -> tuple[str, ...]:
    """Return the secret parts of a URL, both as written and decoded."""
    url = urlsplit(text)
    user, _, _ = url.netloc.rpartition("@")
    name, _, password = user.partition(":")
    raw_query = [pair.partition("=") for pair in url.query.split("&")]
    written = [password or name, *(value for key, _, value in raw_query if unquote_plus(key) == "password")]
    readings = (reading for raw in written if raw for reading in (raw, unquote(raw), unquote_plus(raw)))
    return tuple(dict.fromkeys(readings))


def _split(text: str) -> SplitResult:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("has a space or a character that a URL must write with %")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("is not a URL that can be read; check brackets and port") from None
    if port == 0:
        raise ValueError("has the port 0")
    return url
