"""Who may ask what over TCP: names, sites and the token decide."""

from __future__ import annotations

import pytest

from traptor.supervisor.control.access import RemoteRequest, denial, holder

TOKEN = "0123456789abcdef-SECRET"
HOSTS = ("traptor.example", "proxy.example:8443")


def status(asked: RemoteRequest, token: str = TOKEN) -> int | None:
    refused = denial(asked, [token] if token else [], HOSTS)
    return refused.status if refused is not None else None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "10.0.0.7", "traptor.example",
     "Traptor.Example:8080", "proxy.example:8443"],
)  # fmt: skip
def test_addresses_localhost_and_configured_names_are_ours(host: str) -> None:
    assert status(RemoteRequest("GET", False, host)) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "proxy.example", "[", "[::1", "127.0.0.1.evil.example"],
)
def test_another_name_is_refused_as_a_rebound_page_would_use_it(host: str) -> None:
    assert status(RemoteRequest("GET", False, host)) == 421


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, None),
        ("http://127.0.0.1:8080", None),
        ("https://127.0.0.1:8080", None),
        ("http://127.0.0.1:81", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
def test_only_our_own_pages_may_ask(origin: str | None, expected: int | None) -> None:
    assert status(RemoteRequest("GET", False, "127.0.0.1:8080", origin)) == expected


@pytest.mark.parametrize(
    ("method", "is_private", "authorization", "token", "expected"),
    [
        ("GET", False, "", TOKEN, None),
        ("HEAD", False, "", "", None),
        ("POST", False, "", TOKEN, 401),
        ("GET", True, "", TOKEN, 401),
        ("POST", False, "", "", 403),
        ("GET", True, "", "", 403),
        ("POST", False, "Bearer ", "", 403),
        ("POST", False, f"Bearer {TOKEN}", TOKEN, None),
        ("GET", True, f"bearer  {TOKEN}", TOKEN, None),
        ("POST", False, f"Bearer {TOKEN[:-1]}", TOKEN, 401),
        ("POST", False, f"Basic {TOKEN}", TOKEN, 401),
        ("POST", False, TOKEN, TOKEN, 401),
        ("POST", False, "Bearer \xe9\udc80", TOKEN, 401),
        ("DELETE", False, "", TOKEN, 401),
    ],
)
def test_to_change_something_or_to_read_tweets_needs_the_token(
    method: str, is_private: bool, authorization: str, token: str, expected: int | None
) -> None:
    asked = RemoteRequest(method, is_private, "localhost", None, authorization)
    assert status(asked, token) == expected
    refused = denial(asked, [token] if token else [], HOSTS)
    assert refused is None or TOKEN not in refused.detail


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        (f"Bearer {TOKEN}", "[http] token"),
        ("Bearer fedcba9876543210-OTHER", "token alice"),
        ("Bearer fedcba9876543210-OTHEr", None),
        ("", None),
    ],
)
def test_whoever_brings_a_token_is_known_by_its_name(authorization: str, name: str | None) -> None:
    names = {TOKEN: "[http] token", "fedcba9876543210-OTHER": "token alice"}
    assert holder(authorization, names) == name
    needs_one = RemoteRequest("POST", False, "localhost", None, authorization)
    assert (denial(needs_one, names, HOSTS) is None) is (name is not None)
