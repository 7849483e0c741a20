"""Batch compliance jobs: made, given their ids, waited for, and read."""

import pytest
import requests
from support.waiting import DEADLINE_S

from traptor.sandbox.errors import SandboxError

JOBS = "/2/compliance/jobs"


@pytest.fixture
def clerk(start_v2):
    """A sandbox with a clock to move on, whose jobs take a minute."""
    return start_v2(steps=True, compliance_s=60.0)


def make(x, kind="tweets", **more):
    answer = x.app.call("POST", JOBS, {"type": kind, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def upload(job, text, kind="text/plain"):
    return requests.put(
        job["upload_url"], data=text, headers={"Content-Type": kind}, timeout=DEADLINE_S
    ).status_code


def status(x, job):
    return x.app.call("GET", f"{JOBS}/{job['id']}").json()["data"]["status"]


def results(job):
    return requests.get(job["download_url"], timeout=DEADLINE_S)


def test_a_job_says_which_of_the_uploaded_ids_are_gone_and_why(clerk):
    x = clerk
    x.v2.lose(tweets=["11", "13"])
    x.v2.lose(tweets=["12"], users=["14"], reason="scrub_geo")
    job = make(x, name="weekly")
    assert (job["status"], job["name"]) == ("created", "weekly")
    assert upload(job, "10\n11\r\n12\n14\n") == 200
    assert status(x, job) == "in_progress"
    assert results(job).status_code == 404
    x.clock.move_on(60.0)
    assert status(x, job) == "complete"
    lines = [requests.compat.json.loads(line) for line in results(job).text.splitlines()]
    assert [(one["id"], one["action"], one["reason"]) for one in lines] == [
        ("11", "delete", "deleted"),
        ("12", "scrub_geo", "scrub_geo"),
    ]
    assert x.v2.bill() == []


def test_a_job_for_accounts_knows_accounts(clerk):
    x = clerk
    x.v2.lose(tweets=["11"], users=["12"], reason="suspended")
    job = make(x, "users")
    upload(job, "11\n12")
    x.clock.move_on(60.0)
    assert [line["id"] for line in map(requests.compat.json.loads, results(job).text.splitlines())] == ["12"]


def test_one_job_of_a_type_at_a_time(clerk):
    x = clerk
    job = make(x)
    assert x.app.call("POST", JOBS, {"type": "tweets"}).status_code == 409
    make(x, "users")
    upload(job, "1")
    assert x.app.call("POST", JOBS, {"type": "tweets"}).status_code == 409
    x.clock.move_on(60.0)
    second = make(x)
    listed = x.app.call("GET", JOBS, type="tweets").json()
    assert [one["id"] for one in listed["data"]] == [job["id"], second["id"]]
    created = x.app.call("GET", JOBS, type="tweets", status="created").json()["data"]
    assert [one["id"] for one in created] == [second["id"]]


def test_ids_are_taken_once_and_in_time(clerk):
    x = clerk
    job = make(x)
    assert upload(job, "1", "application/json") == 400
    assert upload(job, "1") == 200
    assert upload(job, "2") == 403
    late = make(x, "users")
    x.clock.move_on(900.0)
    assert (status(x, late), upload(late, "1")) == ("expired", 403)
    make(x, "users")


def test_a_list_may_have_so_many_bytes(clerk, monkeypatch):
    monkeypatch.setattr("traptor.sandbox.v2.compliance.storage.MOST_BYTES", 9)
    job = make(clerk)
    assert upload(job, "123\n456\n78") == 413
    assert upload(job, "123\n456\n7") == 200


@pytest.mark.parametrize("text", ["", "\n\n", "12\nx", "1.5"])
def test_a_list_that_is_no_list_of_ids_makes_the_job_fail(clerk, text):
    job = make(clerk)
    assert upload(job, text) == 200
    assert status(clerk, job) == "failed"
    assert results(job).status_code == 404


def test_an_app_sees_its_own_jobs_only(clerk):
    job = make(clerk)
    assert clerk.other.call("GET", f"{JOBS}/{job['id']}").status_code == 404
    assert clerk.other.call("GET", JOBS, type="tweets").json() == {"meta": {"result_count": 0}}
    assert requests.get(f"{clerk.url}/storage/compliance/0/results", timeout=DEADLINE_S).status_code == 404


@pytest.mark.parametrize(
    "order", [{"tweets": "12"}, {"tweets": ["x"]}, {"reason": "lost"}, {"posts": ["1"]}, []]
)
def test_orders_that_cannot_be_carried_out_are_refused(clerk, order):
    with pytest.raises(SandboxError):
        clerk.client._call("POST", "/sandbox/v2/gone", order)
