"""The rules endpoint: adding, deleting, listing, and what is wrong with some."""

import pytest

from traptor.sandbox.v2.settings import Batches

RULES = "/2/tweets/search/stream/rules"


def kinds(answer):
    return [error["type"].rsplit("/", 1)[1] for error in answer.json()["errors"]]


def test_what_is_added_is_listed_with_its_id_and_tag(x):
    answer = x.app.add("flood warning", "#storm", tag="t:9")
    body = answer.json()
    assert answer.status_code == 201
    assert body["meta"]["summary"] == {"created": 2, "not_created": 0, "valid": 2, "invalid": 0}
    assert [(one["value"], one["tag"]) for one in body["data"]] == [
        ("flood warning", "t:9"),
        ("#storm", "t:9"),
    ]
    assert x.app.listed() == body["data"]
    assert x.other.listed() == []


def test_a_filter_without_a_tag_is_listed_without_one(x):
    x.app.add("flood")
    (listed,) = x.app.listed()
    assert set(listed) == {"id", "value"}


def test_an_empty_list_has_no_data(x):
    body = x.app.call("GET", RULES).json()
    assert "data" not in body
    assert body["meta"]["result_count"] == 0


def test_a_duplicate_names_the_filter_that_is_there(x):
    first = x.app.add("flood").json()["data"][0]["id"]
    answer = x.app.add("flood", "hail", "hail")
    body = answer.json()
    assert answer.status_code == 201
    assert [error["title"] for error in body["errors"]] == ["DuplicateRule", "DuplicateRule"]
    assert body["errors"][0]["id"] == first
    assert body["meta"]["summary"] == {"created": 1, "not_created": 2, "valid": 3, "invalid": 0}


BAD = ["has:media", "x" * 1025, "(flood"]


def test_part_of_a_batch_is_taken_with_details_for_the_rest(start_v2):
    x = start_v2(batches=Batches.PART)
    answer = x.app.add("flood", *BAD)
    body = answer.json()
    assert answer.status_code == 201
    assert body["meta"]["summary"] == {"created": 1, "not_created": 3, "valid": 1, "invalid": 3}
    assert kinds(answer) == ["invalid-rules"] * 3
    assert [error["value"] for error in body["errors"]] == BAD
    assert all("(at position " in error["details"][0] for error in body["errors"])
    assert [one["value"] for one in x.app.listed()] == ["flood"]


def test_a_whole_batch_is_refused_for_one_bad_value(start_v2):
    x = start_v2(batches=Batches.WHOLE)
    answer = x.app.add("flood", *BAD)
    assert answer.status_code == 400
    assert kinds(answer) == ["invalid-rules"] * 3
    assert "data" not in answer.json()
    assert x.app.listed() == []
    assert x.app.add("flood", "hail").status_code == 201


def test_the_cap_refuses_the_batch_that_passes_it(start_v2):
    x = start_v2(rules=3)
    assert x.app.add("a1", "a2").status_code == 201
    answer = x.app.add("a3", "a4")
    assert answer.status_code == 422
    assert answer.json()["title"] == "RulesCapExceeded"
    assert len(x.app.listed()) == 2
    assert x.app.add("a3").status_code == 201


def test_the_length_is_settable(start_v2):
    x = start_v2(rule_length=10)
    assert kinds(x.app.add("a" * 11)) == ["invalid-rules"]


def test_filters_are_deleted_by_id_and_by_value(x):
    ids = [one["id"] for one in x.app.add("a1", "a2", "a3").json()["data"]]
    answer = x.app.delete(ids=[ids[0]], values=["a3"])
    assert answer.json()["meta"]["summary"] == {"deleted": 2, "not_deleted": 0}
    assert [one["value"] for one in x.app.listed()] == ["a2"]


def test_a_filter_that_is_not_there_is_said(x):
    x.app.add("a1")
    answer = x.app.delete(ids=["5"], values=["a1"])
    assert answer.status_code == 200
    assert answer.json()["meta"]["summary"] == {"deleted": 1, "not_deleted": 1}
    assert x.app.delete(ids=["5"]).status_code == 400


def test_all_are_deleted_at_once(x):
    x.app.add("a1", "a2")
    x.other.add("a1")
    answer = x.app.call("POST", RULES, delete_all="true")
    assert answer.json()["meta"]["summary"]["deleted"] == 2
    assert (len(x.app.listed()), len(x.other.listed())) == (0, 1)


def test_a_dry_run_changes_nothing(x):
    x.app.add("a1")
    answer = x.app.add("a2", "has:media", dry_run="true")
    assert answer.json()["meta"]["summary"] == {"created": 1, "not_created": 1, "valid": 1, "invalid": 1}
    assert (
        x.app.call("POST", RULES, delete_all="true", dry_run="true").json()["meta"]["summary"]["deleted"] == 1
    )
    assert [one["value"] for one in x.app.listed()] == ["a1"]


def test_pages_follow_each_other_to_the_end(x):
    x.app.add(*(f"a{n}" for n in range(25)))
    values, token = [], None
    for expected in (10, 10, 5):
        query = {"max_results": 10} | ({"pagination_token": token} if token else {})
        body = x.app.call("GET", RULES, **query).json()
        assert body["meta"]["result_count"] == expected
        values += [one["value"] for one in body["data"]]
        token = body["meta"].get("next_token")
    assert token is None
    assert values == [f"a{n}" for n in range(25)]


def test_filters_are_found_by_their_ids(x):
    ids = [one["id"] for one in x.app.add("a1", "a2", "a3").json()["data"]]
    body = x.app.call("GET", RULES, ids=f"{ids[2]},{ids[0]}").json()
    assert [one["value"] for one in body["data"]] == ["a1", "a3"]


def test_counts_give_caps_as_strings_and_the_number_of_the_app(x):
    x.app.add("a1", "a2")
    data = x.app.call("GET", f"{RULES}/counts").json()["data"]
    app_id = data["client_app_rules_count"]["client_app_id"]
    assert data == {
        "cap_per_client_app": "1000",
        "cap_per_project": "1000",
        "project_rules_count": "2",
        "client_app_rules_count": {"client_app_id": app_id, "rule_count": 2},
        "all_project_client_apps": [{"client_app_id": app_id, "rule_count": 2}],
    }
    some = x.app.call("GET", f"{RULES}/counts", rules_count__fields="cap_per_project").json()["data"]
    assert some == {"cap_per_project": "1000"}


@pytest.mark.parametrize(
    ("body", "params"),
    [
        (None, {}),
        ({}, {}),
        ([], {}),
        ({"add": []}, {}),
        ({"add": [{"tag": "x"}]}, {}),
        ({"add": [{"value": "x", "tag": 1}]}, {}),
        ({"add": [{"value": "x", "name": "y"}]}, {}),
        ({"add": [{"value": "x"}], "delete": {"ids": ["1"]}}, {}),
        ({"delete": {}}, {}),
        ({"delete": {"ids": [1]}}, {}),
        ({"delete": {"tags": ["a"]}}, {}),
        ({"add": [{"value": "x"}]}, {"delete_all": "true"}),
        ({"add": [{"value": "x"}]}, {"dry_run": "perhaps"}),
        ({"add": [{"value": "x"}]}, {"dry": "true"}),
    ],
)
def test_a_bad_change_is_an_invalid_request(x, body, params):
    answer = x.app.call("POST", RULES, body, **params)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid Request"
    assert answer.json()["errors"][0]["message"]
    assert x.app.listed() == []


@pytest.mark.parametrize(
    "params",
    [{"max_results": 0}, {"max_results": 1001}, {"pagination_token": "x"}, {"ids": "x"}, {"page": 1}],
)
def test_a_bad_query_is_an_invalid_request(x, params):
    answer = x.app.call("GET", RULES, **params)
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Request")


def test_the_sandbox_tells_when_a_filter_was_in_effect(start_v2):
    x = start_v2(effect_s=20.0)
    x.app.add("a1", tag="t")
    x.app.delete(values=["a1"])
    (row,) = x.v2.filters("one")
    assert row["in_effect_at"] == pytest.approx(row["added_at"] + 20)
    assert row["gone_at"] == pytest.approx(row["deleted_at"] + 20)


def test_filters_can_vanish(x):
    x.app.add("a1", "a2")
    assert x.v2.forget_filters("one") == 2
    assert x.app.listed() == []
