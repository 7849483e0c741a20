"""An app's connections: listing them, ending them, and what it has read."""

import pytest

ALL = "id,endpoint_name,connected_at,disconnected_at,disconnect_reason,client_ip"
FOLLOW = "from:12 OR to:12 OR retweets_of:12"


def test_only_ids_are_shown_unless_more_is_asked_for(following):
    following.app.stream()
    (shown,) = following.app.connections()
    assert set(shown) == {"id"}
    (shown,) = following.app.connections(connection__fields=ALL)
    assert shown["endpoint_name"] == "filtered_stream"
    assert shown["client_ip"] == "127.0.0.1"
    assert set(shown) == {"id", "endpoint_name", "connected_at", "client_ip"}


def test_no_connection_is_no_data(following):
    body = following.app.call("GET", "/2/connections").json()
    assert body == {"meta": {"result_count": 0}}


def test_active_and_inactive_ones_are_told_apart(following, until):
    x = following
    x.app.stream().close()
    until(lambda: not x.app.connections(), "the end")
    x.app.stream()
    counts = {status: len(x.app.connections(status=status)) for status in ("active", "inactive", "all")}
    assert counts == {"active": 1, "inactive": 1, "all": 2}
    (gone,) = x.app.connections(status="inactive", connection__fields=ALL)
    assert set(gone) == set(ALL.split(","))
    assert x.app.connections(endpoints="sample_stream") == []
    assert x.other.connections(status="all") == []


def test_pages_of_connections(start_v2, until):
    x = start_v2(connections=3)
    x.app.add(FOLLOW)
    for _ in range(3):
        x.app.stream()
    first = x.app.call("GET", "/2/connections", max_results=2).json()
    assert first["meta"]["result_count"] == 2
    rest = x.app.call("GET", "/2/connections", pagination_token=first["meta"]["next_token"]).json()
    assert len({one["id"] for one in first["data"] + rest["data"]}) == 3
    assert "next_token" not in rest["meta"]


def test_a_killed_connection_says_why_and_its_slot_is_free(following, until):
    x = following
    stream = x.app.stream()
    (shown,) = x.app.connections()
    answer = x.app.call("DELETE", "/2/connections", {"uuids": [shown["id"], "nobody"]})
    assert answer.json()["data"] == {
        "successful_kills": 1,
        "failed_kills": 1,
        "results": [{"uuid": shown["id"], "success": True}, {"uuid": "nobody", "success": False}],
    }
    assert x.app.stream().status == 200
    until(lambda: stream.has_ended, "the end")
    assert stream.messages[-1]["errors"][0]["disconnect_type"] == "ForceDisconnect"


@pytest.mark.parametrize("path", ["/2/connections/all", "/2/connections/filtered_stream"])
def test_all_are_killed_at_once_but_not_those_of_others(following, path):
    x = following
    x.other.add(FOLLOW)
    x.app.stream()
    x.other.stream()
    assert x.app.call("DELETE", path).json()["data"]["successful_kills"] == 1
    assert (len(x.app.connections()), len(x.other.connections())) == (0, 1)


def test_nobody_ends_the_connections_of_another_app(following):
    following.app.stream()
    (shown,) = following.app.connections()
    answer = following.other.call("DELETE", "/2/connections", {"uuids": [shown["id"]]})
    assert answer.json()["data"]["failed_kills"] == 1
    [asked] = following.client.v2.requests("connections_kill")
    assert asked["uuids"] == [shown["id"]]
    assert len(following.app.connections()) == 1


@pytest.mark.parametrize("body", [None, {}, {"uuids": []}, {"uuids": [1]}, {"uuids": ["x"] * 101}])
def test_a_bad_kill_is_an_invalid_request(x, body):
    answer = x.app.call("DELETE", "/2/connections", body)
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Request")


def test_a_zombie_of_another_address_holds_the_slot(following):
    x = following
    x.v2.fault("zombie", app="one", client_ip="192.0.2.9", seconds=300)
    assert x.app.stream().status == 429
    (shown,) = x.app.connections(connection__fields=ALL)
    assert shown["client_ip"] == "192.0.2.9"
    x.app.call("DELETE", "/2/connections", {"uuids": [shown["id"]]})
    assert x.app.stream().status == 200


def test_a_zombie_goes_when_its_time_is_over(start_v2):
    x = start_v2(steps=True)
    x.app.add(FOLLOW)
    x.v2.fault("zombie", app="one", seconds=300)
    x.clock.move_on(299)
    assert x.app.stream().status == 429
    x.clock.move_on(2)
    assert x.app.connections() == []
    assert x.app.stream().status == 200


def test_one_client_lingers_and_the_next_does_not(start_v2, until):
    x = start_v2(steps=True)
    x.app.add(FOLLOW)
    x.v2.fault("linger", app="one", linger_s=300)
    x.app.stream().close()
    until(lambda: x.v2.connections()[0]["closed_by"], "the end")
    assert len(x.app.connections()) == 1
    x.clock.move_on(301)
    x.app.stream().close()
    until(lambda: x.v2.connections()[1]["closed_by"], "the end")
    assert x.app.connections() == []


def test_usage_counts_posts_as_strings(following, until):
    x = following
    stream = x.app.stream()
    x.client.burst(30, ["12"])
    until(lambda: len(stream.ids) == 30, "posts")
    until(lambda: x.v2.bill() and x.v2.bill()[0]["posts"] == 30, "the bill")
    data = x.app.call("GET", "/2/usage/tweets").json()["data"]
    assert data["project_usage"] == "30"
    assert data["project_cap"] == "3000000"
    assert set(data) == {"cap_reset_day", "project_cap", "project_id", "project_usage"}
    daily = x.app.call("GET", "/2/usage/tweets", usage__fields="daily_client_app_usage", days=1).json()[
        "data"
    ]
    ((app,)) = daily["daily_client_app_usage"]
    assert [day["usage"] for day in app["usage"]] == ["30"]
    assert x.other.call("GET", "/2/usage/tweets").json()["data"]["project_usage"] == "0"


@pytest.mark.parametrize("params", [{"days": 0}, {"days": 91}, {"usage__fields": "x"}, {"day": 1}])
def test_a_bad_question_for_usage(x, params):
    assert x.app.call("GET", "/2/usage/tweets", **params).status_code == 400
