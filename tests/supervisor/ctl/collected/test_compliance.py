"""The commands about compliance, with the sandbox as X: results, exit codes, and no secret shown."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.waiting import wait_for
from support.xsandbox import TOKEN, XSandbox, x_sandbox

from traptor.common.errors import TraptorError
from traptor.supervisor.ctl.cli import main
from traptor.supervisor.ctl.collected.checking import Checking
from traptor.supervisor.xapi.compliance import Job, JobType


@pytest.fixture
def x() -> Iterator[XSandbox]:
    with x_sandbox(compliance_s=0.0) as running:
        yield running


class Desk:
    """Runs the commands for one app, and keeps what they printed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.ini = folder / "traptor.ini"
        self.ini.write_text(
            f"[traptor]\napi = v2\noutput = jsonl:out\n[twitter]\napi_url = {url}\n"
            f"[key:app]\nbearer_token = {TOKEN}\n"
        )
        self.ini.chmod(0o600)
        self.printed = ""

    def run(self, *words: str) -> Result:
        found = CliRunner().invoke(main, ["-c", str(self.ini), "compliance", *words])
        self.printed += found.stdout + found.stderr
        assert not isinstance(found.exception, Exception), found.exception
        return found

    def ids(self, *lines: str) -> str:
        path = self.folder / "ids.txt"
        path.write_text("\n".join(lines))
        return str(path)


@pytest.fixture
def desk(tmp_path: Path, x: XSandbox) -> Iterator[Desk]:
    made = Desk(tmp_path, x.url)
    yield made
    for secret in (TOKEN, "/storage/", "upload_url", "download_url"):
        assert secret not in made.printed


def of(found: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_what_must_be_deleted_is_printed_with_the_reason(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["12"], reason="suspended")
    x.v2.lose(tweets=["13"], reason="scrub_geo")
    tweets = [json.dumps({"data": {"id": "13", "text": "x"}}), json.dumps({"id_str": "12", "text": "x"})]
    found = desk.run("check", desk.ids("11", *tweets))
    assert found.exit_code == 4
    assert [(one["id"], one["action"], one["reason"]) for one in of(found)] == [
        ("13", "scrub_geo", "scrub_geo"),
        ("12", "delete", "suspended"),
    ]
    assert "3 ids uploaded with key app" in found.stderr
    assert found.stderr.splitlines()[-1] == "2 of 3 ids: delete 1, scrub_geo 1"


def test_nothing_to_be_done_is_exit_code_0(desk: Desk) -> None:
    found = desk.run("check", desk.ids("11", "12"))
    assert (found.exit_code, found.stdout) == (0, "")
    assert found.stderr.splitlines()[-1] == "0 of 2 ids: nothing is to be done"


def test_users_are_checked_by_their_own_ids(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["11"], users=["7"], reason="deactivated")
    line = json.dumps({"data": {"id": "11", "author_id": "7"}})
    found = desk.run("check", desk.ids(line), "--type", "users")
    assert [(one["id"], one["reason"]) for one in of(found)] == [("7", "deactivated")]


def test_results_can_go_to_a_file_that_appears_whole(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["11"])
    target = desk.folder / "gone.jsonl"
    found = desk.run("check", desk.ids("11"), "-o", str(target))
    assert (found.exit_code, found.stdout) == (4, "")
    assert json.loads(target.read_text())["id"] == "11"
    assert [path.name for path in desk.folder.iterdir() if "gone" in path.name] == ["gone.jsonl"]
    refused = desk.run("check", desk.ids("11"), "-o", str(desk.folder / "none" / "gone.jsonl"))
    assert refused.exit_code == 1
    assert "cannot be written: No such file or directory" in refused.stderr


def test_lines_without_an_id_are_named_and_the_others_checked(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["12"])
    found = desk.run("check", desk.ids("12", "nonsense", "13"))
    assert found.exit_code == 5
    assert "ids.txt:2: no id" in found.stderr
    assert [one["id"] for one in of(found)] == ["12"]


def test_a_job_can_be_begun_listed_and_waited_for_later(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["11"])
    begun = desk.run("check", desk.ids("11"), "--no-wait")
    assert begun.exit_code == 0
    job = begun.stdout.strip()
    [listed] = of(desk.run("jobs", "--json"))
    assert (listed["id"], listed["type"], listed["status"]) == (job, "tweets", "complete")
    assert listed["name"] == "traptor/default"
    assert job in desk.run("jobs").stdout
    assert desk.run("jobs", "--type", "users").stdout == "no jobs\n"
    later = desk.run("check", "--job", job)
    assert later.exit_code == 4
    assert [one["id"] for one in of(later)] == ["11"]
    refused = desk.run("check", desk.ids("11"), "--job", job)
    assert refused.exit_code == 1
    assert "takes no ids any more: leave the file out" in refused.stderr


def test_a_job_in_the_way_is_named_and_takes_the_ids(desk: Desk, x: XSandbox) -> None:
    made = x.call("POST", "/2/compliance/jobs", {"type": "tweets"})["data"]["id"]
    refused = desk.run("check", desk.ids("11"))
    assert refused.exit_code == 1
    assert f"`compliance check IDFILE --job {made}`" in refused.stderr
    assert desk.run("check", "--job", made).exit_code == 1  # it has no ids
    assert desk.run("check", desk.ids("11"), "--job", made).exit_code == 0


def test_a_failed_job_and_an_unknown_one_are_errors(desk: Desk, x: XSandbox) -> None:
    unknown = desk.run("check", "--job", "1")
    assert unknown.exit_code == 1
    assert "show compliance job: X answered 404" in unknown.stderr
    made = x.call("POST", "/2/compliance/jobs", {"type": "tweets"})["data"]
    x.put(made["upload_url"], "no ids")
    failed = desk.run("check", "--job", made["id"])
    assert "X calls it failed; check the ids again, in a new job" in failed.stderr


def test_a_server_that_is_away_for_a_moment_is_asked_again(desk: Desk, x: XSandbox) -> None:
    x.v2.lose(tweets=["11"])
    job = desk.run("check", desk.ids("11"), "--no-wait").stdout.strip()
    x.v2.fault("status", endpoint="compliance", status=503, times=1)
    found = desk.run("check", "--job", job)
    assert found.exit_code == 4
    assert "show compliance job: X answered 503" in found.stderr
    assert "asked again" in found.stderr


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell runs in the background ignores interrupts, and so do these tests then."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_tells_how_to_go_on(tmp_path: Path) -> None:
    with x_sandbox(compliance_s=3600.0) as x:
        desk = Desk(tmp_path, x.url)

        def jobs_at_work() -> bool:
            listed = x.call("GET", "/2/compliance/jobs?type=tweets").get("data", [])
            return any(job["status"] == "in_progress" for job in listed)

        def interrupt() -> None:
            wait_for(jobs_at_work, "the job is at work")
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        found = desk.run("check", desk.ids("11"))
        thread.join()
    assert found.exit_code == 130
    [said] = [line for line in found.stderr.splitlines() if line.startswith("the job goes on at X")]
    assert "compliance check --job 14" in said
    assert said.endswith("--key app")


def test_more_ids_than_x_takes_go_into_several_jobs_one_after_the_other(
    desk: Desk, x: XSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.supervisor.ctl.collected.idlist.MOST_BYTES", 6)
    x.v2.lose(tweets=["11", "14", "15"])
    file = desk.ids("11", "12", "nonsense", "13", "14", "15")
    target = desk.folder / "gone.jsonl"
    found = desk.run("check", file, "-o", str(target))
    assert found.exit_code == 5
    assert [json.loads(line)["id"] for line in target.read_text().splitlines()] == ["11", "14", "15"]
    assert found.stderr.splitlines()[-1] == "3 of 5 ids: delete 3"
    assert len(of(desk.run("jobs", "--json"))) == 3
    begun = desk.run("check", file, "--no-wait")
    assert f"once it is complete: compliance check {file} --type tweets --from-line 4" in begun.stderr
    rest = desk.run("check", file, "--from-line", "4")
    assert [one["id"] for one in of(rest)] == ["14", "15"]
    assert "no ids from line 9 on" in desk.run("check", file, "--from-line", "9").stderr


def test_a_failure_between_two_jobs_tells_what_is_left(
    desk: Desk, x: XSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traptor.supervisor.ctl.collected.idlist.MOST_BYTES", 6)
    x.v2.lose(tweets=["11"])
    made = list[str]()

    async def refuse_the_second(checking: Checking, kind: JobType, name: str) -> Job:
        if made:
            raise TraptorError("no more jobs")
        made.append((job := await Checking.make(checking, kind, name)).id)
        return job

    monkeypatch.setattr("traptor.supervisor.ctl.collected.compliance.Checking", type(
        "Refusing", (Checking,), {"make": refuse_the_second}
    ))  # fmt: skip
    file = desk.ids("11", "12", "13")
    found = desk.run("check", file)
    assert (found.exit_code, [one["id"] for one in of(found)]) == (1, ["11"])
    rest = f"compliance check {file} --type tweets --from-line 3 --key app"
    assert f"no more jobs; to go on: {rest}" in found.stderr


def test_a_refused_token_and_a_wrong_key_are_errors_that_say_what_to_do(desk: Desk, x: XSandbox) -> None:
    found = desk.run("check", desk.ids("11"), "--key", "other")
    assert found.exit_code == 1
    assert "no key other to ask X with: app" in found.stderr
    desk.ini.write_text(desk.ini.read_text().replace(TOKEN, "wrong-token-of-nobody"))
    refused = desk.run("jobs")
    assert refused.exit_code == 1
    assert "list compliance jobs: X answered 401" in refused.stderr


@pytest.mark.parametrize("words", [("check",), ("check", "--job", "1", "--no-wait")])
def test_a_check_needs_ids(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).exit_code == 2
