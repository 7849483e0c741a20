"""Accounts: who is let in, by OAuth 1.0a."""

import pytest
from oauthlib.oauth1 import Client

from traptor.sandbox.errors import BadInput, Refused
from traptor.sandbox.v1.accounts import (
    Account,
    Accounts,
    SignedRequest,
    claimed_key,
    load_accounts,
    parse_accounts,
)

NOW_S = 1_790_000_000
ACCOUNT = Account("one", "ck", "at", "cs", "ats")
PAIRS = [("track", "flood warning,#störm & 100%"), ("follow", "12")]


def signed(secret="cs", token_secret="ats", at_s=NOW_S, pairs=PAIRS, key="ck"):
    client = Client(key, secret, "at", token_secret, timestamp=str(at_s))
    _, headers, _ = client.sign(
        "http://127.0.0.1:1/1.1/statuses/filter.json",
        "POST",
        body=pairs,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    return SignedRequest(
        "POST", "http://127.0.0.1:1/1.1/statuses/filter.json", PAIRS, headers["Authorization"]
    )


def refusal(request, accounts=None):
    with pytest.raises(Refused) as refused:
        (accounts or Accounts([ACCOUNT])).authenticate(request, NOW_S)
    assert refused.value.status == 401
    return refused.value.reason


def test_a_right_signature_is_the_account():
    assert Accounts([ACCOUNT]).authenticate(signed(), NOW_S) is ACCOUNT


@pytest.mark.parametrize(
    "request_", [signed(secret="x"), signed(token_secret="x"), signed(pairs=[("track", "x")])]
)
def test_a_wrong_secret_or_changed_parameters_are_401(request_):
    assert "wrong signature" in refusal(request_)


def test_an_unknown_key_is_401():
    assert "unknown" in refusal(signed(key="other"))


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_a_clock_more_than_five_minutes_off_is_401(skew_s):
    assert "timestamp" in refusal(signed(at_s=NOW_S + skew_s))
    assert Accounts([ACCOUNT]).authenticate(signed(at_s=NOW_S + skew_s // 2), NOW_S) is ACCOUNT


@pytest.mark.parametrize(
    "header", ["", "Bearer x", "OAuth", "OAuth x", 'OAuth oauth_consumer_key="ck"', "OAuth \u2028=,,=\x01"]
)
def test_what_is_no_oauth_header_is_401_with_and_without_accounts(header):
    request = SignedRequest("POST", "http://h/", [], header)
    assert "Unauthorized" in refusal(request)
    assert "Unauthorized" in refusal(request, Accounts())


def test_without_accounts_every_oauth_header_is_an_account():
    accounts = Accounts(max_connections=3)
    account = accounts.authenticate(signed(secret="whatever"), NOW_S)
    assert (account.name, account.max_connections) == ("ck/at", 3)
    accounts.replace([ACCOUNT])
    assert "wrong signature" in refusal(signed(secret="whatever"), accounts)


def test_no_auth_keeps_the_names_of_known_accounts():
    accounts = Accounts([ACCOUNT], is_open=True)
    assert accounts.authenticate(signed(secret="whatever"), NOW_S) is ACCOUNT


def test_the_claimed_key_is_told_of_refused_requests_too():
    assert claimed_key(signed(key="other").authorization) == "other"
    assert claimed_key("Bearer x") is None


def test_secrets_are_in_no_repr():
    assert "cs" not in repr(Account("one", "ck", "at", "cs-secret", "ats-secret"))


FILE = """
other_variable: 1
apikeys:
  - {name: x, max_connections: 2, consumer_key: a, consumer_secret: b, access_token: c,
     access_token_secret: d}
  - {consumer_key: e, consumer_secret: f, access_token: g, access_token_secret: h, source_address: 127.0.0.2}
"""


def test_the_accounts_file_is_the_key_file_of_the_collector(tmp_path):
    path = tmp_path / "keys.yml"
    path.write_text(FILE)
    accounts = load_accounts(path)
    assert [(one.name, one.max_connections) for one in accounts] == [("x", 2), ("account-2", 1)]


@pytest.mark.parametrize(
    "text", ["", "apikeys: 1", "- a", "apikeys: [1]", "apikeys: [{consumer_key: zzz}]", "a: [zzz", "\0"]
)
def test_a_bad_accounts_file_is_named_and_not_quoted(tmp_path, text):
    path = tmp_path / "keys.yml"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"keys\.yml: ") as problem:
        load_accounts(path)
    assert "zzz" not in str(problem.value)


@pytest.mark.parametrize(
    "change", [{"consumer_key": ""}, {"access_token": 5}, {"max_connections": 0}, {"max_connections": True}]
)
def test_an_account_with_a_bad_field_is_refused(change):
    good = dict(consumer_key="a", consumer_secret="b", access_token="c", access_token_secret="d")  # noqa: C408
    assert parse_accounts([good])
    with pytest.raises(BadInput, match="account 1: "):
        parse_accounts([{**good, **change}])


def test_the_same_account_twice_is_refused():
    good = dict(consumer_key="a", consumer_secret="b", access_token="c", access_token_secret="d")  # noqa: C408
    with pytest.raises(BadInput, match="twice"):
        parse_accounts([good, good])
