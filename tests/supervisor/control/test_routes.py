"""The description of the API and its routes are the same, and errors have one form."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate
from support.api import AnApi

from traptor.supervisor.control.commands import _body
from traptor.supervisor.control.refusals import Refused
from traptor.supervisor.control.views import description
from traptor.supervisor.ledger.disk.store import LedgerStore

EARLIER = {"/status", "/gaps", "/intervals", "/totals"}  # paths of earlier versions, not described


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(description())
    return content


def test_the_description_is_valid(described: dict[str, Any]) -> None:
    validate(described)


def test_every_route_is_described_and_every_description_has_its_route(
    described: dict[str, Any], api: AnApi
) -> None:
    routes = {(route.method.lower(), route.path) for route in api.routes if route.path not in EARLIER}
    methods = {"get", "post", "put", "delete", "patch"}
    assert routes == {
        (method, path) for path, item in described["paths"].items() for method in item if method in methods
    }


def test_parameters_of_paths_are_described(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        names = {
            parameter["name"] for parameter in item.get("parameters", []) if parameter.get("in") == "path"
        }
        assert names == set(re.findall(r"\{(\w+)\}", path)), path


def test_errors_are_problem_details_whatever_went_wrong(api: AnApi) -> None:
    for method, target, status, words in (
        ("GET", "/nowhere", 404, "no such path"),
        ("POST", "/api/status", 405, "the methods of this path are GET, HEAD"),
        ("GET", "/api/gaps?rul=1", 400, "there is no parameter"),
    ):
        answer = api.ask(method, target)
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
        assert answer.json.keys() == {"type", "title", "status", "detail"}
        assert words in answer.json["detail"]


def test_over_tcp_a_request_may_read_and_needs_the_token_for_more(api: AnApi) -> None:
    assert api.ask("GET", "/api/status", tcp=True).json["version"] == "1"
    answer = api.ask("POST", "/api/reload", tcp=True)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = api.ask("PUT", "/api/status", tcp=True)
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD"), "no token can help"
    assert api.ask("POST", "/nowhere", tcp=True).status == 404
    for method in ("GET", "PUT"):
        assert api.ask(method, "/api/status", tcp=True, headers={"Host": "evil.example"}).status == 421
    assert api.ask("GET", "/api/status", tcp=True, headers={"Origin": "http://evil.example"}).status == 403


def test_events_bring_a_status_at_once_and_again(api: AnApi) -> None:
    first, second = api.frames("/api/events", 2)
    assert first.startswith(b"event: status\ndata: {")
    assert second.startswith(b"event: status\ndata: {")


def test_one_answer_that_goes_on_too_many_is_refused_and_others_are_not(api: AnApi) -> None:
    refused, status = api.while_listening("/api/events", api.most_live, ["/api/events", "/api/status"])
    assert refused.status == 503
    assert status.status == 200


@given(
    st.binary(max_size=40)
    | st.sampled_from([b'{"accept_empty": true}', b'{"accept_empty": 1}', b"[]", b"null"])
)
def test_any_body_of_a_reload_is_read_or_refused_with_a_sentence(body: bytes) -> None:
    try:
        assert isinstance(_body(body).accept_empty, bool)
    except Refused as error:
        assert error.status == 400
        assert "accept_empty" in str(error)


@pytest.mark.parametrize("query", ["", "?of=", "?of=a&rule=b", "?of=a&of=b", "?rule=" + "x" * 1001])
def test_an_impossible_question_for_an_explanation_is_refused(api: AnApi, query: str) -> None:
    assert api.ask("GET", f"/api/explain{query}").status == 400


def test_a_group_of_an_app_is_explained_by_its_connection() -> None:
    carriers = [{"connection": name, "groups": ["follow:0", "track:0"]} for name in ("v2:app.2", "v2:app")]
    group = {"group": "track:0", "rules": 3}
    status = {"ready": True, "connections": carriers, "groups": [group], "problems": []}
    with TemporaryDirectory() as folder, closing(LedgerStore(Path(folder) / "ledger.db")):
        api = AnApi(Path(folder), lambda: status)
        told = api.ask("GET", "/api/explain?of=track:0").json
        assert (told["carriers"], told["group"]) == (["v2:app", "v2:app.2"], group)
        assert told["connection"]["connection"] == "v2:app"
        assert api.ask("GET", "/api/explain?of=track:1").status == 404


def test_the_head_of_an_answer_that_goes_on_is_not_asked_for(api: AnApi) -> None:
    assert api.ask("HEAD", "/api/events").status == 405


def test_a_body_that_is_too_large_is_refused_with_the_limit(api: AnApi) -> None:
    answer = api.ask("POST", "/api/rules/validate", body=b"[" + b" " * (1 << 20) + b"]")
    assert answer.status == 413
    assert "1 MiB at most" in answer.json["detail"]


def test_it_is_not_ready_before_it_collects(api: AnApi) -> None:
    answer = api.ask("GET", "/readyz")
    assert (answer.status, answer.json["ready"]) == (503, False)
    assert answer.json["why"] == ["starting: the rules are being read"]
