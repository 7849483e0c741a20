"""Only whole keys enter the pool, each once; what keeps one out is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.configuration import Configuration

FILE = "[keys]\nfile = keys.yml\n"


def section(name: str, *, ck: str = "ck", at: str = "at", more: str = "") -> str:
    return (
        f"[key:{name}]\nconsumer_key = {ck}\nconsumer_secret = cs\n"
        f"access_token = {at}\naccess_token_secret = ats\n{more}\n"
    )


def entry(*, ck: str = "ck", at: str = "at", more: str = "") -> str:
    four_parts = (
        f"consumer_key: {ck}\n  consumer_secret: cs\n  access_token: {at}\n  access_token_secret: ats"
    )
    return f"- {four_parts}\n{more}"


def test_sections_and_the_file_are_one_pool(config: Configuration) -> None:
    config.write("keys.yml", "apikeys:\n" + entry(ck="b", more="  name: second\n"))
    settings = config.load(config.minimal + FILE + section("first", ck="a", more="max_connections = 3"))
    assert [(key.name, key.max_connections) for key in settings.keys] == [("first", 3), ("second", 1)]


def test_a_keys_values_may_come_from_variables_and_files(config: Configuration) -> None:
    config.write("token", "from-file\n")
    text = config.minimal + section("a", ck="${CK}", at="${file:token}")
    (key,) = config.load(text, CK="from-env").keys
    assert (key.consumer_key, key.access_token) == ("from-env", "from-file")


@pytest.mark.parametrize("name", ["a b", "ä", "a:b", "a.b", ""])
def test_a_name_that_is_none_is_told(config: Configuration, name: str) -> None:
    told = config.problem(config.minimal + section(name))
    assert told == f"traptor.ini:3 [key:{name}]: a key's name must be made of A-Z a-z 0-9 _ -"


def test_a_name_that_is_none_is_told_of_the_file_too(config: Configuration) -> None:
    config.write("keys.yml", "apikeys:\n" + entry(more="  name: a b\n"))
    assert config.problem(config.minimal + FILE).startswith(
        "keys.yml:6 apikeys[1] name: a key's name must be"
    )


def test_one_name_for_two_keys_is_told_with_both_places(config: Configuration) -> None:
    config.write("keys.yml", "apikeys:\n" + entry(ck="other", more="  name: first\n"))
    told = config.problem(config.minimal + FILE + section("first"))
    assert told == "keys.yml:2 apikeys[1]: has the same name as the one at traptor.ini:5 [key:first]"


def test_one_key_in_two_places_is_told_with_both(config: Configuration) -> None:
    config.write("keys.yml", "apikeys:\n" + entry())
    told = config.problem(config.minimal + FILE + section("first"))
    assert told == "keys.yml:2 apikeys[1]: is the same key as the one at traptor.ini:5 [key:first]"


def test_two_keys_of_one_app_are_a_warning(config: Configuration) -> None:
    (warning,) = config.warnings(config.minimal + section("a", at="1") + section("b", at="2"))
    assert (
        warning == "traptor.ini:9 [key:b]: the keys a, b have one consumer_key: they share one app's limits"
    )


@pytest.mark.parametrize(
    "value",
    [
        "ADD_YOUR_CONSUMER_KEY",
        "ADD_YOUR_CONSUMER_SECRET",
        "ADD_YOUR_ACCESS_TOKEN",
        "ADD_YOUR_ACCESS_TOKEN_SECRET",
        "INSERT-KEY-HERE",
        "put_it_here",
        "$CONSUMER_KEY",
        "{{consumer_key}}",
        "[consumer-key]",
        "xxxx-xxxx",
        "YOUR_INFO",
        "your-key",
        "changeme",
        "CHANGE_ME",
        "xxx",
        "XXXXXXXX",
        "...",
        "***",
        "<token>",
        "consumer_key",
        "TODO",
        "none",
        "secret",
    ],
)
def test_a_placeholder_is_told(config: Configuration, value: str) -> None:
    told = config.problem(config.minimal + section("a", ck=value))
    assert told == "traptor.ini:4 [key:a] consumer_key: is a placeholder; write the credential itself"


@pytest.mark.parametrize(
    "value",
    [
        "xvz1evFS4wEEPTGEFPHBog",
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid%2BULvsea4JtiGRiSDSJSI%3DEUifiRBkKG5E2XzMDjRfl76ZC9Ub0wnz4XsNiRVBChTYbJcE3F",
        "setAbc",
        "ck-key-1",
    ],
)
def test_a_credential_is_no_placeholder(config: Configuration, value: str) -> None:
    assert config.load(config.minimal + section("a", ck=value)).keys[0].consumer_key == value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("bearer_token =", "bearer_token: is empty"),
        ("bearer_token = a b", "bearer_token: has a space, a line end or a character outside ASCII"),
        ("bearer_token = tökn", "bearer_token: has a space, a line end or a character outside ASCII"),
        ("bearer_token = a\n  b", "bearer_token: spans several lines"),
        ("bearer_token = ${NOPE}", "bearer_token: the environment has no variable NOPE"),
        ("source_address = eth0", "source_address: must be an IP address of this host"),
        ("source_address = 192.0.2.0/24", "source_address: must be an IP address of this host"),
        ("source_address = 0.0.0.0", "source_address: must be the IP address of one interface"),
        ("source_address = ff02::1", "source_address: must be the IP address of one interface"),
        ("proxy = proxy:3128", "proxy: must begin with http://"),
        ("proxy = ftp://proxy", "proxy: must begin with http://"),
        ("max_connections = 0", "max_connections: must be from 1 to 50"),
        ("max_connections = many", "max_connections: not a whole number"),
    ],
)
def test_a_wrong_member_is_told(config: Configuration, line: str, told: str) -> None:
    problem = config.problem(config.minimal + section("a", more=line))
    assert problem.startswith(f"traptor.ini:8 [key:a] {told}")


def test_an_unknown_member_is_told_with_what_may_be_meant(config: Configuration) -> None:
    told = config.problem(config.minimal + section("a", more="acces_token = x"))
    assert told == "traptor.ini:8 [key:a]: a key has no member acces_token; did you mean access_token?"


def test_an_unknown_member_unlike_any_is_not_repeated(config: Configuration) -> None:
    told = config.problem(config.minimal + section("a", more="c3VwZXJzZWNyZXQ= x"))
    assert told.startswith("traptor.ini:8 [key:a]: a key has no such member; it may have consumer_key, ")


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "127.0.0.1"])
def test_a_source_address_may_be_of_both_kinds(config: Configuration, address: str) -> None:
    text = config.minimal + section("a", more=f"source_address = {address}")
    assert config.load(text).keys[0].source_address == address


def test_an_empty_address_or_proxy_is_none(config: Configuration) -> None:
    (key,) = config.load(config.minimal + section("a", more="source_address =\nproxy =")).keys
    assert (key.source_address, key.proxy) == (None, None)


def test_missing_parts_are_told_by_name(config: Configuration) -> None:
    text = config.minimal + "[key:a]\nconsumer_key = ck\naccess_token = at\nbearer_token = bt\n"
    told = config.problem(text)
    assert told.startswith(
        "traptor.ini:3 [key:a]: lacks consumer_secret, access_token_secret; API v1.1 needs all"
    )


def test_an_empty_section_lacks_all_parts(config: Configuration) -> None:
    told = config.problem(config.minimal + "[key:a]\n")
    assert "lacks consumer_key, consumer_secret, access_token, access_token_secret" in told


def test_a_key_with_only_a_bearer_token_is_left_out_with_a_warning(config: Configuration) -> None:
    settings = config.load(config.minimal + section("a") + "[key:v2]\nbearer_token = bt\n")
    assert [key.name for key in settings.keys] == ["a"]
    (warning,) = settings.warnings
    assert "[key:v2]: is not used: it has only a bearer token" in warning


QUOTED = """\
[key:k]
consumer_key = "ck1"
consumer_secret = 'cs1'
access_token = "at1
access_token_secret = `as1`
"""


def test_credentials_in_quotes_are_told_each(config: Configuration) -> None:
    problems = config.problems(config.minimal + QUOTED)
    assert [problem.split(": ")[0] for problem in problems] == [
        "traptor.ini:4 [key:k] consumer_key",
        "traptor.ini:5 [key:k] consumer_secret",
        "traptor.ini:6 [key:k] access_token",
        "traptor.ini:7 [key:k] access_token_secret",
    ]
    assert {problem.split(": ")[1] for problem in problems} == {
        "has a quotation mark, which no credential contains; write the credential without quotes"
    }


def test_quotes_of_yaml_are_no_part_of_a_credential(config: Configuration) -> None:
    config.write("keys.yml", "apikeys:\n" + entry(ck='"a"', at="'b'"))
    (key,) = config.load(config.minimal + FILE).keys
    assert (key.consumer_key, key.access_token) == ("a", "b")


def test_quotes_out_of_a_file_are_told_too(config: Configuration) -> None:
    config.write("token", '"from-file"\n')
    told = config.problem(config.minimal + section("a", at="${file:token}"))
    assert told.startswith("traptor.ini:6 [key:a] access_token: has a quotation mark")
