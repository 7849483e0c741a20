"""URLs are checked, and shown without what must stay secret."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.config.kinds.urls import (
    masked_url,
    read_proxy_url,
    read_redis_url,
    read_server_url,
    url_secrets,
)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://localhost",
        "redis://localhost/",
        "rediss://user:pass%20word@redis.example:6380/12",
        "redis://:password@[::1]:6379",
        "redis://host?db=3&password=x",
        "unix:///run/redis.sock",
        "unix://user:pw@/run/redis.sock?db=1",
    ],
)
def test_a_redis_url_that_redis_py_understands_is_taken(url: str) -> None:
    assert read_redis_url(url) == url
    redis.Redis.from_url(url).close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://host",
        "redis://",
        "redis:///0",
        "redis://host:port",
        "redis://host:99999",
        "redis://host:0",
        "redis://host/zero",
        "redis://host/1/2",
        "redis://host?db=x",
        "redis://host?timeout=3",
        "redis://:pass#word@host",
        "redis://[::1",
        "redis://ho st",
        "redis://höst",
        "unix://",
        "unix://relative.sock",
    ],
)
def test_another_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        read_redis_url(url)


@pytest.mark.parametrize(
    "url", ["http://proxy:3128", "https://u:p@proxy.example", "socks5h://127.0.0.1:1080/", "socks4a://p:1"]
)
def test_a_proxy_is_an_http_or_socks_url(url: str) -> None:
    assert read_proxy_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "proxy:3128",
        "ftp://proxy",
        "http://",
        "http://proxy/path",
        "http://proxy?x=1",
        "http://u:p#x@proxy",
        "//p",
    ],
)
def test_another_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        read_proxy_url(url)


def test_a_servers_url_loses_its_last_slash() -> None:
    assert read_server_url("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "url", ["ws://host", "https://", "https://u:p@host", "https://u@host", "https://host/1.1"]
)
def test_another_servers_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        read_server_url(url)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user:s3cret@host/0", "redis://user:***@host/0"),
        ("redis://:s3cret@host", "redis://:***@host"),
        ("http://token@proxy:1", "http://***@proxy:1"),
        ("redis://host?db=1&password=s3cret", "redis://host?db=1&password=***"),
        ("unix://u:s3@cret@/run/redis.sock", "unix://u:***@/run/redis.sock"),
    ],
)
def test_a_shown_url_has_no_password(url: str, masked: str) -> None:
    assert masked_url(url) == masked


def test_the_secrets_of_a_url_are_known_as_written_and_as_meant() -> None:
    assert url_secrets("redis://u:p%40ss@host?password=a+b") == ("p%40ss", "p@ss", "a+b", "a b")
    assert url_secrets("redis://host/0") == ()


@given(
    st.text(max_size=40),
    st.sampled_from(["redis://", "http://", "unix:///", "", "socks5://u:p@", "redis://["]),
)
def test_any_text_is_taken_or_refused_by_a_value_error(text: str, start: str) -> None:
    for reader in (read_redis_url, read_proxy_url, read_server_url):
        try:
            url = reader(start + text)
        except ValueError:
            continue
        masked_url(url)


@given(st.text(alphabet="abcXYZ019%40-._~!$&'()*+,;=:@", min_size=1).map("s3cret".__add__))
def test_no_password_is_shown_whatever_it_looks_like(password: str) -> None:
    token = password.replace(":", "")  # a user name without a password
    places = (f"user:{password}@host:1/0", f"{token}@host", f"{token}:@host", f"host?password={password}")
    for url in (f"redis://{place}" for place in places):
        try:
            url = read_redis_url(url)
        except ValueError as error:
            assert "s3cret" not in str(error)
        else:
            assert "s3cret" not in masked_url(url)
