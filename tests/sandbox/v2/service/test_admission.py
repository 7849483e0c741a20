"""Who may speak for an app, how often, and how a refusal reads."""

import base64

import pytest
import requests
from requests_oauthlib import OAuth1
from support.waiting import DEADLINE_S

from traptor.sandbox.v2.problems import ProblemHost

RULES = "/2/tweets/search/stream/rules"
LIMITS = [
    ("GET", RULES, None, 450),
    ("POST", RULES, {"add": [{"value": "flood"}]}, 100),
    ("GET", f"{RULES}/counts", None, 450),
    ("GET", "/2/connections", None, 450),
    ("DELETE", "/2/connections/all", None, 25),
    ("GET", "/2/usage/tweets", None, 50),
    ("GET", "/2/tweets/search/stream", None, 50),
]
KEY = {
    "consumer_key": "ck",
    "consumer_secret": "cs",
    "access_token": "at",
    "access_token_secret": "ats",
}


def token(url, key="ck", secret="cs", grant="client_credentials"):
    return requests.post(
        f"{url}/oauth2/token", data={"grant_type": grant}, auth=(key, secret), timeout=DEADLINE_S
    )


@pytest.mark.parametrize(("method", "path", "body", "limit"), LIMITS)
def test_every_answer_tells_what_is_left_of_its_window(x, method, path, body, limit):
    left = [x.app.call(method, path, body).headers for _ in range(2)]
    assert [int(headers["x-rate-limit-limit"]) for headers in left] == [limit, limit]
    assert [int(headers["x-rate-limit-remaining"]) for headers in left] == [limit - 1, limit - 2]
    now = x.client.state()["now"]
    assert now + 800 < int(left[0]["x-rate-limit-reset"]) <= now + 902
    assert int(x.other.call(method, path, body).headers["x-rate-limit-remaining"]) == limit - 1


def test_a_used_up_window_refuses_until_it_ends(start_v2):
    x = start_v2(steps=True, connects=2, window_s=60.0)
    x.app.add("flood")
    answers = [x.app.stream() for _ in range(3)]
    assert [stream.status for stream in answers] == [200, 429, 429]
    assert [answer.problem["title"] for answer in answers[1:]] == ["ConnectionException", "Too Many Requests"]
    assert answers[2].response.headers["x-rate-limit-remaining"] == "0"
    x.v2.fault("close")
    x.clock.move_on(59.9)
    assert x.app.stream().status == 429
    x.clock.move_on(0.2)
    assert x.app.stream().status == 200


def test_connects_without_a_limit(start_v2, until):
    x = start_v2(connects=0)
    x.app.add("flood")
    statuses = [x.app.stream().status for _ in range(55)]
    assert statuses == [200] + [429] * 54
    assert {one["problem"] for one in x.v2.requests("stream")} == {"", "TooManyConnections"}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nope"}, {"Authorization": "Bearer "}])
def test_an_unknown_token_is_unauthorized(x, header):
    answer = requests.get(f"{x.url}{RULES}", headers=header, timeout=DEADLINE_S)
    assert answer.status_code == 401
    assert answer.json() == {
        "title": "Unauthorized",
        "type": "about:blank",
        "status": 401,
        "detail": "Unauthorized",
    }
    assert "x-rate-limit-limit" in answer.headers


def test_oauth_1_is_an_unsupported_authentication(x):
    answer = requests.get(f"{x.url}{RULES}", auth=OAuth1("ck", "cs", "at", "ats"), timeout=DEADLINE_S)
    assert (answer.status_code, answer.json()["title"]) == (403, "Unsupported Authentication")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (ProblemHost.X, ["api.x.com"] * 2),
        (ProblemHost.TWITTER, ["api.twitter.com"] * 2),
        (ProblemHost.ANY, ["api.x.com", "api.twitter.com"]),
    ],
)
def test_problems_name_either_host(start_v2, host, expected):
    x = start_v2(problem_host=host)
    types = [x.app.call("GET", RULES, nope="1").json()["type"] for _ in range(2)]
    assert [kind.split("/")[2] for kind in types] == expected
    assert all(kind.endswith("/2/problems/invalid-request") for kind in types)


def test_consumer_keys_get_the_token_of_their_app(start_v2):
    x = start_v2(bearers={})
    x.client.set_accounts([{**KEY, "name": "pool-1"}, {**KEY, "name": "pool-2", "access_token": "at2"}])
    answer = token(x.url).json()
    assert answer["token_type"] == "bearer"
    assert answer == token(x.url).json()
    x.app.bearer = answer["access_token"]
    assert x.app.add("flood").status_code == 201
    assert [(app["name"], app["filters"]) for app in x.v2.apps()] == [("pool-1", 1)]


@pytest.mark.parametrize(
    ("key", "secret", "grant"),
    [("ck", "no", "client_credentials"), ("no", "cs", "client_credentials"), ("ck", "cs", "password")],
)
def test_wrong_keys_get_no_token(start_v2, key, secret, grant):
    x = start_v2(bearers={})
    x.client.set_accounts([KEY])
    answer = token(x.url, key, secret, grant)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"]


def test_the_header_for_a_token_may_be_nonsense(x):
    for text in ("", "Basic", "Basic !!", f"Basic {base64.b64encode(b'no-colon').decode()}"):
        answer = requests.post(
            f"{x.url}/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": text},
            timeout=DEADLINE_S,
        )
        assert answer.status_code == 403


def test_an_account_may_bring_its_token(start_v2):
    x = start_v2(bearers={})
    x.client.set_accounts([{**KEY, "name": "pool", "bearer_token": "AAA%3D"}])
    assert token(x.url).json()["access_token"] == "AAA%3D"
    x.app.bearer = "AAA%3D"
    assert x.app.call("GET", RULES).status_code == 200


def test_without_accounts_and_tokens_everybody_is_an_app(start_v2):
    x = start_v2(bearers={})
    assert (x.app.add("flood").status_code, x.other.listed()) == (201, [])
    x.app.bearer = token(x.url, "some key", "some secret").json()["access_token"]
    assert x.app.listed() == []
    assert [app["name"] for app in x.v2.apps()][2:] == ["some key"]


def test_no_token_is_shown_by_the_sandbox(x):
    x.app.add("flood")
    x.app.stream()
    for path in ("apps", "filters", "connections", "requests", "bill", "faults"):
        assert "t-one" not in requests.get(f"{x.url}/sandbox/v2/{path}", timeout=DEADLINE_S).text


def test_every_request_is_on_record(x):
    x.app.add("flood")
    x.app.stream()
    x.app.stream()
    record = x.v2.requests()
    assert [
        (one["method"], one["endpoint"], one["app"], one["status"], one["problem"]) for one in record
    ] == [
        ("POST", "rules_change", "one", 201, ""),
        ("GET", "stream", "one", 200, ""),
        ("GET", "stream", "one", 429, "TooManyConnections"),
    ]
    assert record[1]["connection"] == x.v2.connections()[0]["id"]
    assert x.v2.requests("stream") == record[1:]


def test_an_enterprise_contract_allows_two_connections_and_more_and_longer_filters(start_v2):
    x = start_v2(rules=2, enterprise=frozenset({"one"}))
    long = " OR ".join(f"from:{number}" for number in range(100_000, 100_100))
    assert 1024 < len(long) < 2048
    assert x.app.add(long, "hail", "rain").status_code == 201
    assert x.other.add(long).status_code == 400
    assert x.other.add("hail", "rain", "snow").status_code == 422
    assert x.other.add("hail").status_code == 201
    assert [x.app.stream().status for _ in range(3)] == [200, 200, 429]
    assert [x.other.stream().status for _ in range(2)] == [200, 429]
    caps = [
        app.call("GET", f"{RULES}/counts").json()["data"]["cap_per_client_app"] for app in (x.app, x.other)
    ]
    assert caps == ["25000", "2"]
    assert [app["enterprise"] for app in x.v2.apps()] == [True, False]


def test_contracts_can_be_given_and_ended_while_it_runs(following):
    x = following
    x.v2.set_enterprise("all")
    assert [x.app.stream().status for _ in range(2)] == [200, 200]
    x.v2.set_enterprise("two")
    assert x.app.stream().status == 429


def test_thousands_of_filters_are_added_and_listed_page_by_page(start_v2):
    x = start_v2(enterprise=frozenset({"one"}))
    for first in range(0, 3000, 1000):
        assert x.app.add(*(f"from:{number}" for number in range(first, first + 1000))).status_code == 201
    found, token = [], {}
    while True:
        page = x.app.call("GET", RULES, **token).json()
        found += [one["value"] for one in page["data"]]
        if "next_token" not in page["meta"]:
            break
        token = {"pagination_token": page["meta"]["next_token"]}
    assert found == [f"from:{number}" for number in range(3000)]
