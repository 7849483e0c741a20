"""Accounts are looked up by name and id, and recent posts are counted, as X does."""

import pytest
import requests


def tell(x, **order):
    answer = requests.post(f"{x.app.url}/sandbox/v2/users", json=order, timeout=60)
    assert answer.status_code == 200, answer.text


def test_accounts_are_found_by_name_and_id_and_cost_a_read_each(x):
    tell(x, id="12", username="Ann_1")
    tell(x, id="13", gone=True)
    answer = x.app.call("GET", "/2/users/by", usernames="ann_1,u14,u13,nobody")
    assert [(user["id"], user["username"]) for user in answer.json()["data"]] == [
        ("12", "Ann_1"),
        ("14", "u14"),
    ]
    assert [error["value"] for error in answer.json()["errors"]] == ["u13", "nobody"]
    answer = x.app.call("GET", "/2/users", ids="12,13,14")
    assert [user["username"] for user in answer.json()["data"]] == ["Ann_1", "u14"]
    [day] = x.v2.bill()
    assert (day["looked_up_users"], day["dollars"]) == (4, 0.04)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/2/users/by", {}),
        ("/2/users/by", {"usernames": "a b"}),
        ("/2/users/by", {"usernames": ",".join(["a"] * 101)}),
        ("/2/users", {"ids": "ann"}),
        ("/2/tweets/counts/recent", {"query": ""}),
        ("/2/tweets/counts/recent", {"query": "has:media"}),
        ("/2/tweets/counts/recent", {"query": "x", "granularity": "year"}),
    ],
)
def test_a_wrong_question_is_a_problem(x, path, params):
    answer = x.app.call("GET", path, **params)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid Request"


def test_recent_posts_are_counted_by_day(x):
    x.client.burst(30, ["12"])
    answer = x.app.call("GET", "/2/tweets/counts/recent", query="from:12 OR to:12", granularity="day")
    counts = answer.json()
    assert counts["meta"]["total_tweet_count"] == sum(one["tweet_count"] for one in counts["data"]) > 0
    assert x.app.call("GET", "/2/tweets/counts/recent", query="zzyzxqq").json()["meta"] == {
        "total_tweet_count": 0
    }
