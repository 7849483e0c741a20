"""A whole collection for a test: Valkey, the sandbox, and a supervisor with an ini of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis

from support.programs import Program, Programs
from support.waiting import DEADLINE_S, wait_for
from traptor.sandbox.client import SandboxClient
from traptor.sandbox.errors import SandboxError

Json = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """One account of the sandbox, and the same as a key in the ini."""

    name: str
    source_address: str | None = None
    max_connections: int = 1
    consumer_secret: str = ""
    proxy: str | None = None
    groups: str | None = None

    def account(self) -> Json:
        return {
            "name": self.name,
            "consumer_key": f"ck-{self.name}",
            "consumer_secret": self.consumer_secret or f"SECRET-cs-{self.name}",
            "access_token": f"at-{self.name}",
            "access_token_secret": f"SECRET-ats-{self.name}",
            "max_connections": self.max_connections,
        }

    def section(self) -> str:
        fields = {
            **self.account(),
            "source_address": self.source_address,
            "proxy": self.proxy,
            "groups": self.groups,
        }
        name = fields.pop("name")
        lines = [f"{option} = {value}" for option, value in fields.items() if value is not None]
        return "\n".join([f"[key:{name}]", *lines, ""])


# Quick versions of the waits that would make every test slow; tests of a wait set their own.
QUICK: dict[str, dict[str, object]] = {
    "supervisor": {
        "rules_check_interval": "2s",
        "refresh_min_interval": "300ms",
        "heartbeat_interval": "500ms",
        "drain_timeout": "10s",
        "overlap_timeout": "5s",
        "restart_backoff": "200ms",
        "restart_backoff_max": "1s",
        "start_parallel": 8,
    },
    "twitter": {
        "connect_rate": 100,
        "connects": 1000,
        "connect_timeout": "30s",  # a sandbox that a busy machine starves is no fault of the network
        "http_backoff": "500ms",
        "rate_limit_backoff": "1s",
    },
}

_FORKED = {"-m", "loud.py", "nonsense.py", "sabotage.py"}  # the others change what an interpreter begins with

_SHOWN_LINES = 12  # of a log in which something was missed
_EVIDENCE_LINES = 40  # of each log of a failed test


@dataclass
class Collection:
    """The three together; `start` runs the supervisor in the background."""

    folder: Path
    redis: redis.Redis
    redis_url: str
    sandbox: SandboxClient
    keys: list[Key]
    options: dict[str, dict[str, object]] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "traptor.supervisor")
    process: subprocess.Popen[bytes] | Program | None = None
    programs: Programs | None = None  # None: every start is one of a fresh interpreter
    tls_url: str = ""  # of a sandbox that also streams over TLS

    # ---- set-up

    @property
    def ini(self) -> Path:
        return self.folder / "traptor.ini"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def write_ini(self) -> None:
        """(Re)write the ini from keys and options, in one step."""
        sections: dict[str, dict[str, object]] = {
            "traptor": {"output": f"jsonl:{self.output}"},
            "supervisor": {"run_dir": "run", "state_dir": "state", "log_dir": "logs"},
            "redis": {"url": self.redis_url},
            "twitter": {"stream_url": self.sandbox.url},
        }
        for extra in (QUICK, self.options):
            for section, options in extra.items():
                sections.setdefault(section, {}).update(options)
        text = "".join(
            f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
            for section, options in sections.items()
        )
        new = self.ini.with_suffix(".new")
        new.write_text(text + "".join(key.section() for key in self.keys))
        new.chmod(0o600)
        os.replace(new, self.ini)

    def set_accounts(self) -> None:
        self.sandbox.set_accounts([key.account() for key in self.keys])

    def add_rules(self, group: str, values: Iterable[str] | Mapping[str, str], **fields: str) -> None:
        """Write rules to Redis; a mapping gives rule ids."""
        rule_type = group.partition(":")[0]
        items = values.items() if isinstance(values, Mapping) else ((value, value) for value in values)
        with self.redis.pipeline(transaction=False) as pipeline:
            for rule_id, value in items:
                name = rule_id.replace(" ", "-")
                rule = {
                    "rule_id": name,
                    "value": value,
                    "tag": f"tag {name}",
                    "rule_type": rule_type,
                    **fields,
                }
                pipeline.hset(f"traptor-{group}:{name}", mapping=rule)
            pipeline.execute()

    def remove_rules(self, group: str, rule_ids: Iterable[str]) -> None:
        self.redis.delete(*(f"traptor-{group}:{rule_id.replace(' ', '-')}" for rule_id in rule_ids))

    def hint(self, group: str) -> None:
        self.redis.publish("traptor-notify", group)

    # ---- the supervisor

    def start(self, before: Sequence[str] = ()) -> subprocess.Popen[bytes] | Program:
        """Start it, by the command `before` where there is one."""
        self.folder.mkdir(exist_ok=True)
        if not self.ini.exists():
            self.write_ini()
        self.output.mkdir(exist_ok=True)
        with (self.folder / "stderr.txt").open("ab") as stderr:
            command = [*self.program, "-c", str(self.ini)]
            if self.programs is not None and Path(self.program[0]).name in _FORKED and not before:
                self.process = self.programs.start(command, stderr.fileno(), stderr.fileno())
            else:
                self.process = subprocess.Popen(
                    [*before, sys.executable, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                )
        return self.process

    def ctl(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """What `traptorctl` answers about this supervisor."""
        assert self.programs is not None
        return self.programs.run(["-m", "traptor.supervisor.ctl", "-c", str(self.ini), *map(str, arguments)])

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """TERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def end(self) -> None:
        """For the end of a test that may have failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # ---- what can be seen

    def status(self) -> Json:
        try:
            return json.loads((self.run_dir / "status.json").read_bytes())
        except FileNotFoundError:
            return {"connections": [], "keys": [], "groups": [], "redis": None}

    def connection(self, name: str) -> Json:
        return next((c for c in self.status()["connections"] if c["connection"] == name), {})

    def key(self, name: str) -> Json:
        return next((key for key in self.status()["keys"] if key["key"] == name), {})

    def pid(self, name: str) -> int | None:
        serving = self.connection(name).get("serving") or {}
        return serving.get("pid")

    def streaming(self) -> dict[str, int]:
        """The pids of the connections that stream."""
        return {
            c["connection"]: c["serving"]["pid"]
            for c in self.status()["connections"]
            if c["serving"] and c["serving"]["state"] == "STREAMING"
        }

    def wait_streaming(self, *names: str, within_s: float = DEADLINE_S) -> dict[str, int]:
        """Wait until exactly these connections stream; their pids."""
        return wait_for(
            lambda: (now := self.streaming()) and set(now) == set(names) and now,
            f"{names} stream; status: {self.brief()}",
            within_s,
        )

    def wait_new_pid(self, name: str, old: int, within_s: float = DEADLINE_S) -> int:
        """Wait until a connection streams in another process than `old`; its pid."""
        return wait_for(
            lambda: (pid := self.streaming().get(name)) and pid != old and pid,
            f"{name} streams in another process than {old}",
            within_s,
        )

    def wait_state(self, name: str, state: str, within_s: float = DEADLINE_S) -> Json:
        return wait_for(
            lambda: (c := self.connection(name)) and c["state"] == state and c, f"{name} is {state}", within_s
        )

    def brief(self) -> str:
        return str([(c["connection"], c["state"], c["waits_for"]) for c in self.status()["connections"]])

    def children(self) -> list[psutil.Process]:
        """Every process of the supervisor but the master."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """The children of the forker, dead ones that nobody has reaped too."""
        assert self.process is not None
        forkers = psutil.Process(self.process.pid).children()
        return [child for child in self.children() if child not in forkers]

    def forker(self) -> psutil.Process:
        """The process that forks the workers."""
        assert self.process is not None
        [found] = [
            child
            for child in psutil.Process(self.process.pid).children()
            if " ".join(child.cmdline()).strip() == "traptor: forker"
        ]
        return found

    def tweets(self, name: str) -> list[Json]:
        """What was delivered for a connection."""
        return tweets_in(self.output / f"{name}.jsonl")

    def messages(self, name: str) -> list[Json]:
        """All whole lines that were written for a connection; one that is being written is left out."""
        return messages_in(self.output / f"{name}.jsonl")

    def log(self, name: str = "supervisor") -> str:
        path = self.logs / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def wait_log(self, *texts: str, name: str = "supervisor", within_s: float = DEADLINE_S) -> str:
        """The first line of a log that holds all these texts."""

        def line() -> str | None:
            return next((one for one in self.log(name).splitlines() if all(t in one for t in texts)), None)

        try:
            return wait_for(line, f"{texts} in {name}.log", within_s) or ""
        except AssertionError as late:
            end = "\n".join(self.log(name).splitlines()[-_SHOWN_LINES:])
            raise AssertionError(f"{late}; it ends with\n{end}") from None

    def evidence(self) -> list[tuple[str, str]]:
        """What a failed test shows: titles, and the ends of the logs and of the sandbox's record."""
        logs = [*sorted(self.logs.glob("*.log")), self.folder / "stderr.txt"]
        shown = [
            (path.name, _end(path.read_text(errors="replace").splitlines())) for path in logs if path.exists()
        ]
        try:
            record = [
                ("connections at the sandbox", self.sandbox.connections(with_values=False)),
                ("connects tried at the sandbox", self.sandbox.attempts()),
            ]
        except SandboxError as error:
            return [*shown, ("the sandbox", str(error))]
        return [*shown, *((title, _end([json.dumps(one) for one in entries])) for title, entries in record)]

    def gaps(self, name: str) -> list[Json]:
        """The gaps that supervisor.log reports for a connection."""
        lines = [line for line in self.log().splitlines() if f" gap connection={name} " in line]
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


def messages_in(path: Path) -> list[Json]:
    """All whole lines of an output file."""
    content = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def tweets_in(path: Path) -> list[Json]:
    return [message for message in messages_in(path) if "id_str" in message]


def _end(lines: list[str]) -> str:
    return "\n".join(lines[-_EVIDENCE_LINES:])
