"""The full-archive search: what it finds, page by page, what it costs, and what it refuses."""

import pytest

from traptor.sandbox.v2.parameters.moments import iso

PATH = "/2/tweets/search/all"
FOLLOW = "from:12 OR to:12 OR retweets_of:12"


@pytest.fixture
def searched(start_v2):
    """A sandbox whose newest posts can be searched, at any time."""
    return start_v2(search_every_s=0.0, search_lag_s=0.0)


def search(x, query, app=None, **params):
    answer = (app or x.app).call("GET", PATH, query=query, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(x, query, **params):
    token: dict[str, str] = {}
    while True:
        page = search(x, query, **params, **token)
        yield page
        if "next_token" not in page["meta"]:
            return
        token = {"next_token": page["meta"]["next_token"]}


def ids(page):
    return [post["id"] for post in page.get("data", [])]


def test_a_search_finds_what_the_filter_would_have_found_while_no_stream_was_open(searched):
    x = searched
    x.app.add(FOLLOW)
    x.client.burst(300, ["12"])
    x.client.burst(100, ["13"])
    due = [match["id"] for match in x.v2.matches()]
    assert len(due) == 300
    found = [one for page in pages(x, FOLLOW, max_results=100) for one in ids(page)]
    assert found == due[::-1]


def test_pages_follow_one_another_and_say_how_many_posts_they_hold(searched):
    x = searched
    x.client.burst(25, ["hail"])
    found = list(pages(x, "from:12 OR hail OR #hail OR @hail OR url:hail", max_results=10))
    sizes = [page["meta"]["result_count"] for page in found]
    assert sizes == [len(page["data"]) for page in found]
    assert sum(sizes[:-1]) == 10 * (len(sizes) - 1) > 0
    for page in found:
        assert (page["meta"]["newest_id"], page["meta"]["oldest_id"]) == (ids(page)[0], ids(page)[-1])
    assert search(x, "nowhere") == {"meta": {"result_count": 0}}


def test_terms_about_the_content_find_no_reposts_and_those_about_people_do(searched):
    x = searched
    x.app.add("hail OR #hail OR @hail OR url:hail", FOLLOW)
    x.client.burst(200, ["hail", "12"])
    forms = {record["id"]: record["form"] for record in x.client.tweets()}
    due = {match["id"] for match in x.v2.matches()}
    words = {one for page in pages(x, "hail OR #hail OR @hail OR url:hail") for one in ids(page)}
    people = {one for page in pages(x, FOLLOW, max_results=500) for one in ids(page)}
    reposts = {one for one in due if "retweet" in forms[one] and "track" in forms[one]}
    assert reposts
    assert words | people == due - reposts
    assert any("retweet" in forms[one] for one in people)


def test_only_posts_of_the_time_asked_for_are_found(start_v2):
    x = start_v2(steps=True, search_every_s=0.0, search_lag_s=10.0)
    times = []
    for _ in range(3):
        times.append(x.clock().unix)
        x.client.burst(4, ["12"])
        x.clock.move_on(60.0)
    records = list(x.client.tweets())
    page = search(x, FOLLOW, start_time=iso(times[1] - 1), end_time=iso(times[2] - 1))
    assert ids(page) == [record["id"] for record in records[7:3:-1]]
    assert len(ids(search(x, FOLLOW, start_time=iso(times[1] - 1), max_results=100))) == 8
    assert len(ids(search(x, FOLLOW, end_time=iso(times[1] - 1), max_results=100))) == 4


def test_posts_cost_what_they_cost_on_the_stream_and_once_a_day(searched, until):
    x = searched
    x.app.add(FOLLOW)
    stream = x.app.stream()
    x.client.burst(30, ["12"])
    until(lambda: len(stream.ids) == 30, "all posts")
    for _ in range(2):
        search(x, FOLLOW, max_results=100)
    (day,) = x.v2.bill()
    assert (day["posts"], day["dollars"]) == (30, 0.15)
    search(x, FOLLOW, app=x.other, max_results=10)
    assert [(day["app"], day["posts"]) for day in x.v2.bill()] == [("one", 30), ("two", 10)]


def test_a_page_includes_each_object_once_and_each_user_is_charged_once(searched):
    x = searched
    x.client.burst(40, ["12"])
    page = search(x, "from:12", max_results=100, expansions="author_id,referenced_tweets.id")
    users = [user["id"] for user in page["includes"]["users"]]
    assert users == ["12"]
    assert {post["author_id"] for post in page["data"]} == {"12"}
    (day,) = x.v2.bill()
    assert (day["included_users"], day["posts"]) == (1, len(page["data"]))
    assert day["included_posts"] == len(page["includes"]["tweets"])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "has:media",
        "hail sample:10",
        "bio:rain",
        "bio_name:rain",
        "hail followers_count:10",
        "url_contains:hail",
        "x" * 1025,
    ],
)
def test_what_cannot_be_searched_is_refused(searched, query):
    assert searched.app.call("GET", PATH, query=query).status_code == 400


@pytest.mark.parametrize(
    "params",
    [
        {"max_results": 9},
        {"max_results": 501},
        {"start_time": "yesterday"},
        {"start_time": "2026-13-01T00:00:00Z"},
        {"start_time": "2026-02-01T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"},
        {"end_time": "2999-01-01T00:00:00Z"},
        {"next_token": "nonsense"},
        {"tweet.fields": "nope"},
        {"backfill_minutes": 1},
    ],
)
def test_parameters_out_of_bounds_are_refused(searched, params):
    answer = searched.app.call("GET", PATH, query="hail", **params)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid Request"


def test_an_enterprise_query_may_be_four_times_as_long(start_v2):
    x = start_v2(search_every_s=0.0, enterprise=frozenset({"two"}))
    long = " OR ".join(f"from:{number}" for number in range(100_000, 100_120))
    assert x.app.call("GET", PATH, query=long).status_code == 400
    assert x.other.call("GET", PATH, query=long).status_code == 200


def test_posts_of_the_last_seconds_cannot_be_searched_yet(start_v2):
    x = start_v2(steps=True, search_every_s=0.0)
    x.client.burst(5, ["12"])
    late = iso(x.clock().unix - 9)
    assert x.app.call("GET", PATH, query=FOLLOW, end_time=late).status_code == 400
    assert ids(search(x, FOLLOW)) == []
    x.clock.move_on(29.0)
    assert ids(search(x, FOLLOW)) == []
    x.clock.move_on(2.0)
    assert len(ids(search(x, FOLLOW))) == 5


def test_two_searches_a_second_are_one_too_many_and_300_a_window(start_v2):
    x = start_v2(steps=True)
    assert x.app.call("GET", PATH, query="hail").status_code == 200
    x.clock.move_on(0.8)
    refused = x.app.call("GET", PATH, query="hail")
    assert refused.status_code == 429
    assert refused.headers["x-rate-limit-remaining"] == "298"
    assert x.other.call("GET", PATH, query="hail").status_code == 200
    for _ in range(298):
        x.clock.move_on(1.0)
        assert x.app.call("GET", PATH, query="hail").status_code == 200
    x.clock.move_on(1.0)
    refused = x.app.call("GET", PATH, query="hail")
    assert (refused.status_code, refused.headers["x-rate-limit-remaining"]) == (429, "0")


@pytest.mark.parametrize("status", [429, 503])
def test_a_search_can_be_struck(searched, status):
    x = searched
    x.v2.fault("status", endpoint="search_all", status=status, times=1)
    assert x.app.call("GET", PATH, query="hail").status_code == status
    search(x, "hail")
    assert [one["status"] for one in x.v2.requests("search_all")] == [status, 200]
