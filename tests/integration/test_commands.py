"""What `traptor-supervisor` says and returns, and what it writes to stdout when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.collection import Collection, Json, Key
from support.programs import Programs
from support.waiting import DEADLINE_S, wait_for

from traptor.common import __version__

Make = Callable[..., Collection]


def command(
    *arguments: object, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with its output in pipes."""
    return subprocess.run(
        [sys.executable, "-m", "traptor.supervisor", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "60", **(environ or {})},
        check=False,
    )


def on_ini(
    collection: Collection, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with the collection's ini; another environment is for an interpreter that begins."""
    collection.write_ini()
    arguments = ("-c", str(collection.ini), *arguments)
    if environ or collection.programs is None:
        return command(*arguments, environ=environ)
    return forked(collection.programs, *arguments)


def forked(programs: Programs, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end where how an interpreter begins is no matter."""
    return programs.run(["-m", "traptor.supervisor", *map(str, arguments)], {"COLUMNS": "60"})


def spaceless(text: str) -> str:
    return " ".join(text.split())


# ---- --check


def test_check_of_a_good_configuration_says_so_and_starts_nothing(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("follow:0", ["42"])
    done = on_ini(collection, "--check")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    said = spaceless(done.stdout)
    assert "Redis answers: 2 groups, 3 rules, 2 connections." in said
    assert re.search(r"2 keys; room for [1-9]\d{0,2}(,\d{3})* connections \(file descriptors\)", said)
    assert "no errors, 0 warnings." in said
    assert collection.sandbox.attempts() == []
    assert not collection.run_dir.exists()
    assert not collection.output.exists()
    assert "SECRET" not in done.stdout


BROKEN = """\
[traptor]
output = carrier-pigeon
groups = track:0, nonsense

[supervisor]
handower = slot
hang_timeout = soon

[twitter]
network_backoff = 10s
network_backoff_max = 1s
track_limit = -1

[nonsense]
a = b

[keys]
file = nowhere.yml

[key:one]
consumer_key = ${TRAPTOR_NOT_SET}
consumer_secret = s
access_token = YOUR_INFO

[key:bad name]
consumer_key = a
"""
SAID = {
    "traptor.ini:2": "output",
    "traptor.ini:3": "groups",
    "traptor.ini:6": "handover",
    "traptor.ini:7": "hang_timeout",
    "traptor.ini:11": "network_backoff_max",
    "traptor.ini:12": "track_limit",
    "traptor.ini:14": "nonsense",
    "nowhere.yml": "",
    "traptor.ini:21": "TRAPTOR_NOT_SET",
    "traptor.ini:23": "access_token: is a placeholder",
    "traptor.ini:25": "bad name",
}


@pytest.mark.parametrize("arguments", [("--check",), ("--plan", "--json"), ()])
def test_all_problems_of_a_configuration_are_said_at_once_with_their_places(
    programs: Programs, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """By a start as well as by --check, without a traceback; nothing is made on the disk."""
    ini = tmp_path / "traptor.ini"
    ini.write_text(BROKEN)
    done = forked(programs, "-c", ini, *arguments)
    assert done.returncode == 78
    said = done.stdout if arguments == ("--check",) else done.stderr
    for place, words in SAID.items():
        lines = [line for line in said.splitlines() if place in line]
        assert any(words in line for line in lines), (place, words, said)
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["traptor.ini"]
    if "--json" in arguments:
        error = json.loads(done.stdout)["error"]
        assert (error["kind"], error["exit_code"]) == ("configuration", 78)
        assert [f"error: {problem}" for problem in error["problems"]] == done.stderr.splitlines()


def test_check_without_redis_fails_but_still_says_the_rest(make_collection: Make) -> None:
    collection = make_collection(Key("k1", source_address="192.0.2.7"))
    collection.redis_url = "redis://:SECRET-pw@127.0.0.1:1/0"
    done = on_ini(collection, "--check")
    assert done.returncode == 1
    said = spaceless(done.stdout)
    assert "error: Redis at 127.0.0.1:1 (db 0):" in said
    assert "warning: key k1 is not used: source_address 192.0.2.7 is not on this host" in said
    assert "SECRET" not in done.stdout + done.stderr
    done = on_ini(collection, "--plan")
    assert done.returncode == 1
    assert done.stderr.startswith("error: Redis at 127.0.0.1:1 (db 0):")
    assert "Traceback" not in done.stderr


def test_check_warns_of_rules_and_connections_that_will_not_stream(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", {"good": "storm", "bad": "x" * 61, "pasted": "fire\ufeff"})
    collection.add_rules("track:1", ["flood"])
    done = on_ini(collection, "--check")
    assert done.returncode == 0
    said = spaceless(done.stdout)
    assert "warning: traptor-track:0:bad: " in said
    assert "warning: doubtful: traptor-track:0:pasted: " in said
    assert "U+FEFF" in said
    assert "warning: no key for track:1: add keys, or they wait" in said


def test_check_warns_when_logs_and_tweets_would_mix_on_stdout(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"traptor": {"output": "jsonl:-"}, "supervisor": {"log_dir": "-"}}
    done = on_ini(collection, "--check")
    assert done.returncode == 0
    assert "[supervisor] log_dir: is stdout, and so is [traptor] output" in spaceless(done.stdout)


def test_check_finds_a_folder_that_cannot_be_used(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    (collection.folder / "file").write_text("")
    collection.options = {"supervisor": {"log_dir": "file/logs"}}
    done = on_ini(collection, "--check")
    assert done.returncode == 78
    assert "error: log_dir: " in spaceless(done.stdout)


def run(collection: Collection, *arguments: str) -> list[str]:
    """The lines that a command prints, which must not fail."""
    done = on_ini(collection, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_check_looks_at_folders_and_redis_though_the_ini_has_problems(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    (collection.folder / "file").write_text("")
    collection.redis_url = "redis://127.0.0.1:1/0"
    collection.options = {"supervisor": {"log_dir": "file/logs"}, "twitter": {"track_limit": "many"}}
    done = on_ini(collection, "--check")
    assert done.returncode == 78
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3, done.stdout
    for line, words in zip(
        errors, ("[twitter] track_limit: ", "log_dir: ", "Redis at 127.0.0.1:1"), strict=True
    ):
        assert words in line
    assert done.stdout.splitlines()[-1].endswith(": 3 errors, 0 warnings.")


def test_check_warns_of_keys_in_redis_that_nobody_collects(make_collection: Make) -> None:
    """Types that do not exist, by type, and keys of known types that name no group."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    for rule_id in range(3):
        collection.redis.hset(f"traptor-tracks:0:{rule_id}", "value", "storm")
    collection.redis.hset("traptor-Follow:0:x\nb", "value", "12")
    collection.redis.hset("traptor-track:no group:x", "value", "storm")
    collection.redis.hset("traptor:0:x", "value", "none of ours")
    lines = run(collection, "--check")
    warnings = [line for line in lines if line.startswith("warning: ")]
    assert len(warnings) == 3, lines
    assert "traptor-track:no group:x: not a group" in warnings[0]
    assert re.search(r"3 keys such as traptor-tracks:0:\d: 'tracks' is not a type of rule", warnings[1])
    assert r"1 key such as traptor-Follow:0:x\nb: 'Follow' is not a type" in warnings[2]


def test_check_warns_of_a_disk_without_room_for_the_outbox(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options = {"supervisor": {"outbox_max_bytes": "999999G"}}
    (warning,) = [line for line in run(collection, "--check") if line.startswith("warning: ")]
    assert re.match(
        r"warning: state_dir: only \d+\.\d GiB are free at .*/state, less than 999999.0 GiB: ", warning
    )


def test_check_warns_of_a_heartbeat_that_somebody_writes_though_nothing_runs_here(
    make_collection: Make,
) -> None:
    """What a supervisor left that was killed just now expires, and is not renewed."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["hail"])
    collection.redis.psetex("track:1:heartbeat", 700, "20261123100000")
    ends = threading.Event()

    def beat() -> None:
        while not ends.wait(0.01):  # so often that no look finds much more of its lifetime than the last
            collection.redis.psetex("track:0:heartbeat", 7500, "20261123100000")

    other = threading.Thread(target=beat)
    other.start()
    try:
        (warning,) = [line for line in run(collection, "--check") if line.startswith("warning: ")]
    finally:
        ends.set()
        other.join()
    assert "somebody else writes track:0:heartbeat: another supervisor, or the original" in warning
    collection.redis.delete("track:0:heartbeat")
    assert not [line for line in run(collection, "--check") if line.startswith("warning: ")]


def test_a_supervisor_that_streams_gives_check_and_plan_nothing_to_warn_of(make_collection: Make) -> None:
    """Its own heartbeats are no reason either."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"traptor": {"groups": "track:0, track:1, follow:7"}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["hail"])
    collection.start()
    collection.wait_streaming("track:0", "track:1")
    wait_for(lambda: collection.redis.exists("track:0:heartbeat", "follow:7:heartbeat") == 2, "it beats")
    assert collection.process is not None
    pid = collection.process.pid
    lines = run(collection, "--check")
    assert f"A supervisor runs here (pid {pid}); streaming: 2 of 3 connections." in lines
    assert lines[-1].endswith(": no errors, 0 warnings."), lines
    plan = "\n".join(run(collection, "--plan"))
    assert f"What the supervisor does (pid {pid})" in plan
    assert "Streaming: 2 of 3 connections; a fresh start would change nothing." in plan
    assert "warning" not in plan
    rows = plan_rows(plan)
    assert rows["track:0"][1] == rows["track:1"][1] == "STREAMING"
    assert rows["follow:7"] == ["0", "QUIET", "", "", "the same"]


def test_check_and_plan_say_what_a_running_supervisor_does_not_do(make_collection: Make) -> None:
    """A quarantined key, a connection that waits, and what a fresh start would do otherwise."""
    collection = make_collection(Key("k1"), Key("bad", consumer_secret="wrong"))
    collection.options = {"supervisor": {"rules_check_interval": "1h"}}
    collection.add_rules("track:0", ["storm", "hail"])
    collection.sandbox.set_accounts([Key("k1").account(), Key("bad").account()])
    collection.start()
    collection.wait_streaming("track:0")
    collection.add_rules("track:1", ["flood"])
    collection.hint("track:1")
    collection.wait_state("track:1", "WAITING_FOR_KEY")
    wait_for(lambda: collection.key("bad")["state"] == "QUARANTINED", "the wrong secret is noticed")
    collection.add_rules("track:0", ["thunder"])
    for option in ("--check", "--plan"):
        lines = run(collection, option)
        warnings = [line for line in lines if line.startswith("warning: ")]
        assert any(
            line.startswith("warning: track:1 does not stream: no key is free") for line in warnings
        ), lines
        assert any("key bad is QUARANTINED until 20" in line for line in warnings), lines
    rows = plan_rows("\n".join(lines))
    assert rows["track:0"] == ["2", "STREAMING", "k1", "", "3 rules, k1"]
    assert rows["track:1"][:2] == ["1", "WAITING_FOR_KEY"]
    assert rows["track:1"][4] == "the same"
    assert [line for line in lines if "fresh start would" in line] == [
        "Streaming: 1 of 2 connections; a fresh start would change 1 of them."
    ]


def test_keys_that_were_quarantined_are_said_when_nothing_runs_any_more(make_collection: Make) -> None:
    collection = make_collection(Key("bad", consumer_secret="wrong"))
    collection.sandbox.set_accounts([Key("bad").account()])
    collection.add_rules("track:0", ["storm"])
    collection.start()
    wait_for(lambda: collection.key("bad").get("state") == "QUARANTINED", "the wrong secret is noticed")
    assert any(line == "warning: nothing streams" for line in run(collection, "--check"))
    assert collection.stop() == 0
    for option in ("--check", "--plan"):
        lines = run(collection, option)
        assert any(line.startswith("warning: key bad is QUARANTINED until 20") for line in lines), lines
    assert plan_rows("\n".join(lines))["track:0"][2] == "waits for a key"


def test_a_supervisor_that_does_not_answer_is_said(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    (collection.run_dir / "control.sock").unlink()
    assert collection.process is not None
    said = f"warning: the supervisor (pid {collection.process.pid}) does not answer: "
    for option in ("--check", "--plan"):
        lines = run(collection, option)
        assert [line for line in lines if line.startswith(said)]
    assert plan_rows("\n".join(lines))["track:0"][2] == "k1", (
        "what a fresh start would do is there all the same"
    )


def test_plan_says_what_runs_though_redis_is_away(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    other = collection.folder / "other.ini"
    other.write_text(collection.ini.read_text().replace(collection.redis_url, "redis://127.0.0.1:1/0"))
    assert collection.programs is not None
    done = forked(collection.programs, "-c", other, "--plan")
    assert done.returncode == 1
    assert plan_rows(done.stdout)["track:0"] == ["1", "STREAMING", "k1", "", "unknown"]
    assert done.stderr.startswith("error: Redis at 127.0.0.1:1")


# ---- --plan


def test_plan_shows_three_connections_for_5500_follow_and_352_track_rules(make_collection: Make) -> None:
    """With two keys the smallest waits; with four none does."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("follow:0", [str(10_000 + number) for number in range(5500)])
    collection.add_rules("track:0", [f"word{number}" for number in range(352)])
    done = on_ini(collection, "--plan")
    assert done.returncode == 0, done.stderr
    rows = plan_rows(done.stdout)
    assert {name: row[:2] for name, row in rows.items()} == {
        "follow:0": ["5,000", "5,000"],
        "follow:0.2": ["500", "500"],
        "track:0": ["352", "352"],
    }
    assert [name for name, row in rows.items() if row[2] == "waits for a key"] == ["track:0"]
    assert "3 connections, 2 keys; 1 would wait for a key." in spaceless(done.stdout)
    collection.keys = [Key(f"k{number}", source_address=f"127.0.0.{number}") for number in range(1, 5)]
    done = on_ini(collection, "--plan")
    assert "3 connections, 4 keys; 0 would wait for a key." in spaceless(done.stdout)
    assert {row[3] for row in plan_rows(done.stdout).values()} <= {f"127.0.0.{n}" for n in range(1, 5)}
    assert collection.sandbox.attempts() == []


def plan_rows(text: str) -> dict[str, list[str]]:
    """The columns of the table after the first, by connection."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_what_was_planned_is_what_runs(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    collection.options = {"twitter": {"track_limit": 10}}
    collection.add_rules("track:0", [f"word{number}" for number in range(14)])
    collection.add_rules("follow:0", ["42", "43"])
    rows = plan_rows(on_ini(collection, "--plan").stdout)
    collection.start()
    collection.wait_streaming(*rows)
    for name, row in rows.items():
        connection = collection.connection(name)
        assert (str(connection["rules"]), connection["serving"]["key"]) == (row[0], row[2])


# ---- text of others

HOSTILE = "a\nb\x1b[31m:smile:[red]日\x9b" + "x" * 61


@pytest.mark.parametrize("option", ["--check", "--plan"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_text_from_redis_is_shown_as_it_is_and_steers_no_terminal(
    make_collection: Make, option: str, encoding: str
) -> None:
    """Neither a line end nor ESC, neither markup nor an emoji code, whatever the locale can show."""
    collection = make_collection(Key("k1"))
    for key in (HOSTILE, "\udcff"):
        collection.redis.hset(
            b"traptor-track:0:" + key.encode(errors="surrogateescape"), mapping={"value": HOSTILE}
        )
    done = on_ini(collection, option, environ={"LC_ALL": "C", "PYTHONIOENCODING": encoding})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = [line for line in done.stdout.splitlines() if ":smile:" in line]
    shown = r"traptor-track:0:a\nb\x1b[31m:smile:[red]"
    assert shown + ("日" if encoding == "utf-8" else r"\u65e5") + r"\x9b" in line
    assert not set(done.stdout) & {"\x1b", "\x9b"}


def test_where_stdout_is_no_terminal_a_row_is_one_line(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("a-key-with-a-very-long-name-" + "x" * 60))
    name = "track:" + "y" * 60
    collection.add_rules(name, ["storm"])
    done = on_ini(collection, "--plan")
    assert list(plan_rows(done.stdout)) == [name]
    assert "…" not in done.stdout


# ---- the command itself


def test_the_version_is_said() -> None:
    done = command("--version")
    assert done.returncode == 0
    assert done.stdout == f"traptor-supervisor, version {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("-c",), ("--nonsense",), ("-c", "/tmp"), ("-c", "x.ini", "more")])
def test_a_wrong_command_line_is_a_usage_error(programs: Programs, arguments: tuple[str, ...]) -> None:
    done = forked(programs, *arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_an_ini_that_is_not_there_is_a_bad_configuration(programs: Programs, tmp_path: Path) -> None:
    done = forked(programs, "-c", tmp_path / "none.ini")
    assert done.returncode == 78
    assert done.stderr.startswith(f"error: {tmp_path}/none.ini")
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_one_line(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    (collection.folder / "file").write_text("")
    for section in ("run_dir", "state_dir", "log_dir"):
        collection.options = {"supervisor": {section: "file/inside"}}
        done = on_ini(collection)
        assert done.returncode == 78, (section, done.stderr)
        assert done.stderr.startswith(f"error: [supervisor] {section}: "), (section, done.stderr)
        assert len(done.stderr.splitlines()) == 1, (section, done.stderr)
        assert "file/inside cannot be made" in done.stderr


def test_a_state_folder_of_another_supervisor_is_not_shared(make_collection: Make) -> None:
    """Exit 75, also when the run_dir is another one; the first goes on."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pids = collection.wait_streaming("track:0")
    other = collection.folder / "other.ini"
    other.write_text(collection.ini.read_text().replace("run_dir = run", "run_dir = run2"))
    other.chmod(0o600)
    assert collection.programs is not None
    done = forked(collection.programs, "-c", other)
    assert done.returncode == 75
    assert "state" in done.stderr
    assert "Traceback" not in done.stderr
    done = forked(collection.programs, "-c", other, "--check")
    assert done.returncode == 1
    assert collection.process is not None
    assert f"is held by another supervisor (pid {collection.process.pid})" in done.stdout
    assert collection.streaming() == pids


# ---- stdout


def start_on_stdout(collection: Collection) -> Path:
    """Start with stdout in a file of its own, apart from stderr; the file."""
    collection.write_ini()
    collection.folder.mkdir(exist_ok=True)
    path = collection.folder / "stdout.txt"
    with path.open("wb") as stdout, (collection.folder / "stderr.txt").open("wb") as stderr:
        collection.process = subprocess.Popen(
            [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    return path


def test_logs_go_to_stdout_for_containers(make_collection: Make) -> None:
    """Those of the supervisor and of the workers, a JSON object a line; no file is made."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"log_dir": "-"}, "logging": {"format": "json"}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["42"])
    path = start_on_stdout(collection)
    collection.wait_streaming("track:0", "follow:0")
    collection.sandbox.fault("garbage")
    wait_for(lambda: path.read_text().count("no JSON object") >= 4, "the workers' lines")
    assert collection.stop() == 0
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"stream connected", "streaming", "supervisor stopped"} <= {one["message"] for one in records}
    assert not collection.logs.exists()
    assert (collection.folder / "stderr.txt").read_text() == ""


def test_tweets_of_several_workers_go_to_stdout_in_whole_lines(make_collection: Make) -> None:
    """Also over a refresh and a killed worker; of the refreshed connection none is missing."""
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"), sandbox=("--rate", "300", "--noise", "0"))
    collection.options = {"traptor": {"output": "jsonl:-"}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["flood"])
    path = start_on_stdout(collection)
    pids = collection.wait_streaming("track:0", "track:1")
    collection.sandbox.set_rules([("track", "storm"), ("track", "flood")])
    wait_for(lambda: path.read_bytes().count(b"\n") > 200, "tweets")
    collection.hint("track:0")
    collection.wait_new_pid("track:0", pids["track:0"])
    os.kill(pids["track:1"], signal.SIGKILL)
    collection.wait_new_pid("track:1", pids["track:1"])
    size = path.stat().st_size
    wait_for(lambda: path.stat().st_size > size + 300_000, "more tweets")
    collection.sandbox.stop_timeline()
    made = [tweet for tweet in collection.sandbox.tweets() if "storm" in tweet["for"]]
    last = next(tweet["id"] for tweet in reversed(made) if tweet["connections"])
    wait_for(lambda: f'"id_str":"{last}"'.encode() in path.read_bytes(), "the last tweet")
    assert collection.stop() == 0
    content = path.read_bytes()
    assert content.endswith(b"\n")
    tweets: list[Json] = [json.loads(line) for line in content.splitlines()]
    written = {(one["traptor"]["collection"]["connection"], one["id_str"]) for one in tweets}
    assert {connection for connection, _ in written} == {"track:0", "track:1"}
    assert [one["id"] for one in made if one["connections"] and ("track:0", one["id"]) not in written] == []


@pytest.mark.parametrize("lines", [0, 2])
def test_a_reader_of_stdout_that_goes_away_ends_the_supervisor_in_order(
    make_collection: Make, lines: int
) -> None:
    """As with `| head -2`: no process is left, and the exit code is that of a stop."""
    collection = make_collection(Key("k1"), Key("k2"), sandbox=("--rate", "200", "--noise", "0"))
    collection.options = {"traptor": {"output": "jsonl:-"}}
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["flood"])
    collection.sandbox.set_rules([("track", "storm"), ("track", "flood")])
    collection.write_ini()
    command = [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini)]
    collection.process = process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        collection.wait_streaming("track:0", "track:1")
        children = collection.children()
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 0
    assert all(json.loads(line)["traptor"]["collection_rules"] for line in read)
    assert not [child for child in children if child.is_running()]
    collection.wait_log(" WARNING ", "stdout is closed, nobody reads the output")
    collection.wait_log("supervisor stopped")


def test_a_stdout_that_is_not_the_output_may_be_closed(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.write_ini()
    command = [sys.executable, "-m", "traptor.supervisor", "-c", str(collection.ini)]
    collection.process = process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.close()
        pid = collection.wait_streaming("track:0")["track:0"]
        collection.hint("track:0")
        collection.wait_new_pid("track:0", pid)
        assert collection.stop() == 0


# ---- what it says on the terminal


def test_one_line_on_stderr_says_what_runs_and_where_to_look(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("follow:0", ["42"])
    path = start_on_stdout(collection)
    collection.wait_streaming("track:0", "follow:0")
    said = (collection.folder / "stderr.txt").read_text()
    assert said == (
        f"traptor-supervisor {__version__}: 2 connections for 3 rules, 2 keys; logs in {collection.logs}/,"
        f" status in {collection.run_dir}/status.json; Ctrl-C stops it\n"
    )
    assert collection.stop() == 0
    assert (collection.folder / "stderr.txt").read_text() == said
    assert path.read_text() == ""


def test_the_line_says_that_redis_is_away(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.redis_url = "redis://127.0.0.1:1/0"
    start_on_stdout(collection)
    stderr = collection.folder / "stderr.txt"
    wait_for(
        lambda: "Redis is away, so no rules are known yet, 1 key; logs in" in stderr.read_text(), "the line"
    )
    assert collection.stop() == 0


# ---- heartbeats


def test_heartbeats_have_the_original_form_and_are_withheld_while_a_key_is_missing(
    make_collection: Make,
) -> None:
    """Rule managers give work to groups that beat: also to empty ones, not to those that wait for a key."""
    collection = make_collection(Key("k1"))
    collection.options = {"traptor": {"groups": "track:0, track:1, follow:7"}}
    collection.add_rules("track:0", ["storm", "flood"])
    collection.add_rules("track:1", ["hail"])
    collection.start()
    collection.wait_streaming("track:0")
    for group in ("track:0", "follow:7"):
        value = wait_for(lambda group=group: collection.redis.get(f"{group}:heartbeat"), f"{group} beats")
        assert isinstance(value, bytes)
        assert len(value) == 14
        assert value.isdigit()
        wait_for(lambda group=group: 0 < collection.redis.pttl(f"{group}:heartbeat") <= 750, "it lapses soon")
    collection.wait_state("track:1", "WAITING_FOR_KEY")
    wait_for(lambda: collection.redis.get("track:1:heartbeat") is None, "track:1 is silent")
    collection.wait_log(" WARNING ", "heartbeat withheld", "group=track:1", 'why="no key is free"')
    by_name = {group["group"]: group for group in collection.status()["groups"]}
    assert (by_name["track:1"]["heartbeat"], by_name["track:1"]["heartbeat_why"]) == (
        "withheld",
        "no key is free",
    )
    assert (by_name["follow:7"]["heartbeat"], by_name["follow:7"]["heartbeat_why"]) == ("written", None)
    collection.keys.append(Key("k2"))
    collection.set_accounts()
    collection.write_ini()
    wait_for(lambda: collection.redis.get("track:1:heartbeat"), "track:1 beats")
    collection.wait_log("heartbeat is written again", "group=track:1")
    collection.stop()
    wait_for(lambda: not collection.redis.keys("*:heartbeat"), "they expire")


def test_a_heartbeat_that_somebody_else_writes_is_said(make_collection: Make) -> None:
    """Two supervisors on one group use its keys twice. One that is alone says nothing of itself."""
    collection = make_collection(Key("k1"), Key("k2"))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["hail"])
    collection.start()
    collection.wait_streaming("track:0", "track:1")

    def is_shared() -> bool:
        collection.redis.psetex("track:0:heartbeat", 5000, "of another")
        groups = {group["group"]: group for group in collection.status()["groups"]}
        return groups["track:0"]["heartbeat_shared"]

    wait_for(is_shared, "the other one is seen")
    collection.wait_log(" WARNING ", "somebody else writes this heartbeat", "group=track:0")
    assert collection.log().count("somebody else writes") == 1
    assert not [g for g in collection.status()["groups"] if g["heartbeat_shared"] and g["group"] != "track:0"]


def test_so_is_one_that_is_withheld_here(make_collection: Make) -> None:
    """As when another supervisor has the keys."""
    collection = make_collection()
    collection.add_rules("track:0", ["storm"])
    collection.start()

    def is_shared() -> bool:
        collection.redis.psetex("track:0:heartbeat", 5000, "of another")
        return any(group["heartbeat_shared"] for group in collection.status()["groups"])

    wait_for(is_shared, "the other one is seen")
    collection.wait_log(" WARNING ", "somebody else writes this heartbeat", "group=track:0")


def test_a_group_that_lost_its_last_rule_beats_on_over_a_restart_too(make_collection: Make) -> None:
    """Else a rule manager that looks for heartbeats would never give it a rule again."""
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    collection.remove_rules("track:0", ["storm"])
    collection.hint("track:0")
    wait_for(lambda: not collection.connection("track:0"), "nothing is streamed any more")
    for _ in range(2):
        collection.redis.delete("track:0:heartbeat")
        wait_for(lambda: collection.redis.get("track:0:heartbeat"), "it beats on")
        assert collection.stop() == 0
        wait_for(lambda: not collection.redis.exists("track:0:heartbeat"), "it expires")
        collection.start()
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "it beats on")
    collection.add_rules("track:0", ["storm"])
    collection.hint("track:0")
    collection.wait_streaming("track:0")


def test_heartbeats_are_withheld_while_the_server_refuses_the_rules(make_collection: Make) -> None:
    """And the key goes to whom it can serve; other rules are tried at once."""
    collection = make_collection(Key("k1"))
    collection.sandbox.fault("status", status=413, times=1)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_state("track:0", "REFUSED")
    collection.wait_log(" ERROR ", "the server refuses the rules", "status=413")
    wait_for(lambda: collection.redis.get("track:0:heartbeat") is None, "it is silent")
    assert collection.key("k1")["lent"] == 0
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_streaming("track:0")
    wait_for(lambda: collection.redis.get("track:0:heartbeat"), "it beats")
    assert [one["status"] for one in collection.sandbox.attempts()] == [413, 200]


def test_a_folder_that_this_locale_cannot_name_is_a_problem_of_the_ini(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.options["supervisor"] = {"log_dir": "prot\xf6kolle"}
    only_ascii = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = on_ini(collection, environ=only_ascii)
    assert done.returncode == 78
    assert "[supervisor] log_dir: has a character that this locale has not (ascii)" in done.stderr
    assert "Traceback" not in done.stderr
