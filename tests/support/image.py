"""The image without Docker: the Dockerfile's steps on a twin of this machine, and what compose runs of it.

All stages of the Dockerfile share the one machine, so what one stage copies from another is there already.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_STEP_S = 300
# As compose has it: mounts of its own, all else read-only; its first process is PID 1.
_RUN = """
set -e
mount -t proc proc /proc
for one in $TMPFS; do mount -t tmpfs -o "${one#*:}" none "${one%%:*}"; done
for one in $VOLUMES; do mount --bind "$one" "$one"; done
mount -o remount,ro,bind /
exec setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs \
    --inh-caps=-all --bounding-set=-all env -i "$@"
"""


@dataclass
class Image:
    """What the steps have made; `enter` leads to the twin, `tools` is set while steps run."""

    enter: tuple[str, ...]
    tools: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "0:0"
    folder: str = "/"

    def build(self, dockerfile: Path, context: Path) -> None:
        """Carry out all steps; one of another kind than these fails."""
        for word, rest in _steps(dockerfile.read_text()):
            match word:
                case "FROM":
                    self.user, self.folder = "0:0", "/"
                case "WORKDIR":
                    self.folder = rest
                    self._do("install", "-d", rest)
                case "COPY":
                    self._copy(shlex.split(rest), context)
                case "RUN":
                    self._do("sh", "-ec", f"cd {self.folder}; {rest}")
                case "ENV":
                    for name, value in (one.split("=", 1) for one in shlex.split(rest)):
                        self.variables[name] = value.replace("$PATH", "/usr/bin:/bin")
                case "USER":
                    self.user = rest
                case "HEALTHCHECK":
                    self.health = json.loads(rest.partition("CMD ")[2])
                case "ENTRYPOINT":
                    self.entrypoint = json.loads(rest)
                case "CMD":
                    self.command = json.loads(rest)
                case "LABEL" | "VOLUME" | "STOPSIGNAL":
                    pass
                case _:
                    raise AssertionError(f"{word} is not known here")

    def _copy(self, words: Sequence[str], context: Path) -> None:
        options = dict(one.removeprefix("--").split("=") for one in words if one.startswith("--"))
        *sources, target = [one for one in words if not one.startswith("--")]
        if "from" in options:
            self._do("test", "-e", target)
            return
        place = f"{self.folder}/{target}" if not target.startswith("/") else target
        for source in sources:
            self._do("cp", "-rT" if len(sources) == 1 else "-r", str(context / source), place)
        if "chown" in options:
            self._do("chown", "-R", options["chown"], place)
        if "chmod" in options:
            self._do("chmod", "-R", options["chmod"], place)

    def _do(self, *words: str) -> None:
        variables = [f"{name}={value}" for name, value in {**self.variables, **self.tools}.items()]
        done = subprocess.run(
            [*self.enter, "env", "-i", *variables, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_S,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}"

    def run(self, service: Mapping[str, Any], environment: Mapping[str, str], output: Path) -> Container:
        """Start what compose starts as this service, with an environment of its own."""
        user, _, group = self.user.partition(":")
        mounts = {
            "TMPFS": " ".join(one if ":" in one else f"{one}:mode=1777" for one in service["tmpfs"]),
            "VOLUMES": " ".join(one.partition(":")[2] for one in service["volumes"]),
            "USER_ID": user,
            "GROUP_ID": group,
        }
        given = [f"{name}={value}" for name, value in {**self.variables, **environment}.items()]
        confined = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _RUN, "sh"]
        outside = ["env", *(f"{name}={value}" for name, value in mounts.items())]
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*self.enter, *outside, *confined, *given, *self.entrypoint, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        return Container(self, process, given)


@dataclass
class Container:
    """What runs of an image."""

    image: Image
    process: subprocess.Popen[bytes]
    given: list[str]

    def init(self) -> psutil.Process:
        """Its first process."""
        [unshare] = psutil.Process(self.process.pid).children()
        [init] = unshare.children()
        return init

    def told(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command in it answers, as `docker exec` runs one."""
        user, _, group = self.image.user.partition(":")
        inside = ["nsenter", "--target", str(self.init().pid), "--mount", "--pid", "--root", "--wdns=/"]
        whose = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
        command = [*inside, *whose, "env", "-i", *self.given, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=_STEP_S, check=False)

    def is_healthy(self) -> bool:
        return self.told(*self.image.health).returncode == 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def _steps(text: str) -> Iterator[tuple[str, str]]:
    """The instructions with their arguments, comments and line breaks taken out."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest
