"""Requests to X's endpoints beside the stream are read and answered as their description says."""

import pytest
import requests
from openapi_core.exceptions import OpenAPIError
from support.xapi import check_answer, check_request

RULES = "/2/tweets/search/stream/rules"
CONNECTION_FIELDS = "id,endpoint_name,connected_at,disconnected_at,disconnect_reason,client_ip"
USAGE_FIELDS = "cap_reset_day,daily_client_app_usage,daily_project_usage,project_cap,project_id,project_usage"
JOBS = "/2/compliance/jobs"
SEARCH = "/2/tweets/search/all"
EXPANSIONS = "author_id,referenced_tweets.id,attachments.media_keys,geo.place_id"
FOLLOW = "from:12 OR to:12 OR retweets_of:12"


def add(*values, **more):
    return {"add": [{"value": value, **more} for value in values]}


# In this order: later ones ask about what earlier ones made.
EXCHANGES = [
    ("GET", RULES, None, {}, 200),
    ("POST", RULES, add(FOLLOW, "hail", "#storm", tag="t:1"), {}, 201),
    ("POST", RULES, add("flood warning"), {"dry_run": "true"}, 201),
    ("POST", RULES, add("flood warning"), {}, 201),
    ("POST", RULES, add("hail", "has:media", "rain"), {}, 201),
    ("POST", RULES, add("has:media"), {}, 400),
    ("POST", RULES, add("a", "b", "c", "d", "e", "f", "g"), {}, 422),
    ("GET", RULES, None, {}, 200),
    ("GET", RULES, None, {"max_results": "2"}, 200),
    ("GET", RULES, None, {"ids": "1,2"}, 200),
    ("GET", f"{RULES}/counts", None, {}, 200),
    ("GET", f"{RULES}/counts", None, {"rules_count.fields": "cap_per_project,project_rules_count"}, 200),
    ("POST", RULES, {"delete": {"values": ["rain", "never there"]}}, {}, 200),
    ("POST", RULES, {"delete": {"ids": ["5"]}}, {}, 400),
    ("GET", "/2/connections", None, {}, 200),
    ("GET", "/2/connections", None, {"status": "all", "connection.fields": CONNECTION_FIELDS}, 200),
    ("DELETE", "/2/connections", {"uuids": ["5b1f"]}, {}, 200),
    ("DELETE", "/2/connections/filtered_stream", None, {}, 200),
    ("GET", "/2/connections", None, {"status": "inactive", "connection.fields": CONNECTION_FIELDS}, 200),
    ("DELETE", "/2/connections/all", None, {}, 200),
    ("GET", "/2/usage/tweets", None, {}, 200),
    ("GET", "/2/usage/tweets", None, {"days": "2", "usage.fields": USAGE_FIELDS}, 200),
    ("GET", SEARCH, None, {"query": FOLLOW}, 200),
    ("GET", SEARCH, None, {"query": FOLLOW, "max_results": "500", "expansions": EXPANSIONS}, 200),
    ("GET", SEARCH, None, {"query": "nowhere"}, 200),
    ("GET", SEARCH, None, {"query": "hail sample:1"}, 400),
    ("POST", JOBS, {"type": "tweets", "name": "all"}, {}, 200),
    ("POST", JOBS, {"type": "tweets"}, {}, 409),
    ("POST", JOBS, {"type": "users"}, {}, 200),
    ("GET", JOBS, None, {"type": "tweets"}, 200),
    ("GET", JOBS, None, {"type": "users", "status": "complete"}, 200),
    ("GET", f"{JOBS}/1400000000000000001", None, {}, 200),
    ("GET", f"{JOBS}/12", None, {}, 404),
    ("POST", RULES, None, {"delete_all": "true"}, 200),
]


def test_requests_and_answers_are_as_described(start_v2, until):
    x = start_v2(rules=10, search_every_s=0.0, search_lag_s=0.0)
    for method, path, body, params, expected in EXCHANGES:
        if path == "/2/connections" and not x.v2.connections():
            stream = x.app.stream()
            x.client.burst(20, ["12"])
            until(lambda stream=stream: stream.ids and x.v2.bill(), "posts")
        answer = x.app.call(method, path, body, **params)
        assert answer.status_code == expected, (method, path, answer.text)
        check_request(answer.request)
        check_answer(answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "params"),
    [
        ("POST", RULES, {"add": []}, {}),
        ("POST", RULES, {"add": [{"tag": "x"}]}, {}),
        ("POST", RULES, {"delete": {}}, {}),
        ("POST", RULES, add("x"), {"dry_run": "perhaps"}),
        ("GET", RULES, None, {"max_results": "0"}),
        ("GET", f"{RULES}/counts", None, {"rules_count.fields": "x"}),
        ("GET", "/2/connections", None, {"status": "open"}),
        ("DELETE", "/2/connections", {"uuids": []}, {}),
        ("GET", "/2/usage/tweets", None, {"days": "91"}),
        ("GET", SEARCH, None, {}),
        ("POST", JOBS, {"type": "places"}, {}),
        ("POST", JOBS, {"type": "tweets", "colour": "red"}, {}),
        ("GET", JOBS, None, {}),
        ("GET", JOBS, None, {"type": "tweets", "status": "done"}),
        ("GET", SEARCH, None, {"query": FOLLOW, "max_results": "501"}),
        ("GET", SEARCH, None, {"query": FOLLOW, "start_time": "yesterday"}),
    ],
)
def test_what_the_description_forbids_is_refused_with_a_problem(x, method, path, body, params):
    answer = x.app.call(method, path, body, **params)
    with pytest.raises(OpenAPIError):
        check_request(answer.request)
    assert answer.status_code == 400
    check_answer(answer)


@pytest.mark.parametrize(
    "problem", ["unauthorized", "client-forbidden", "credits", "usage-capped", "rate-limit"]
)
def test_refusals_of_every_endpoint_are_problem_documents(x, problem):
    x.v2.fault("status", endpoint="any", problem=problem)
    for method, path, body, params, _ in EXCHANGES:
        check_answer(x.app.call(method, path, body, **params))


def test_an_answer_that_is_not_as_described_is_found(x):
    answer = x.app.call("GET", f"{RULES}/counts")
    assert isinstance(answer, requests.Response)
    answer._content = answer.content.replace(b'"1000"', b"1000")
    with pytest.raises(OpenAPIError):
        check_answer(answer)
