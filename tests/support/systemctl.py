"""A stand-in for systemctl where no systemd runs: starts and signals the programs of the units in one folder.

STAND_IN_SYSTEMD names the folder. Beside each unit it keeps the pid (NAME.pid), the output (NAME.out) and
whether it is enabled (NAME.enabled); to `actions` it appends what was asked, such as "reload traptor".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_STOP_S = 60.0


@dataclass(frozen=True)
class Unit:
    folder: Path
    name: str

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    @property
    def pid(self) -> int | None:
        try:
            pid = int(self.file("pid").read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, ValueError):
            return None
        return None if state == "Z" else pid

    def option(self, name: str) -> str:
        [value] = re.findall(rf"^{name}=(.*)$", self.file("service").read_text(), re.MULTILINE)
        return str(value)

    def start(self) -> None:
        if self.pid is not None:
            return
        with self.file("out").open("ab") as out:
            process = subprocess.Popen(
                self.option("ExecStart").split(),
                cwd=self.option("WorkingDirectory"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.file("pid").write_text(str(process.pid))

    def stop(self) -> None:
        pid, deadline = self.pid, time.monotonic() + _STOP_S
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)

    def reload(self) -> None:
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGHUP)

    def show(self) -> None:
        loaded = "loaded" if self.file("service").exists() else "not-found"
        active = "active" if self.pid is not None else "inactive"
        print(f"Id={self.name}.service\nLoadState={loaded}\nActiveState={active}")


def main(words: list[str]) -> int:
    folder = Path(os.environ["STAND_IN_SYSTEMD"])
    verb, *names = [word for word in words if not word.startswith("-")]
    unit = Unit(folder, names[0].removesuffix(".service") if names else "")
    if verb in ("start", "stop", "restart", "reload", "enable", "disable"):
        with (folder / "actions").open("a") as actions:
            actions.write(f"{verb} {unit.name}\n")
    match verb:
        case "show" | "status":
            unit.show()
        case "is-enabled":
            return 0 if unit.file("enabled").exists() else 1
        case "enable":
            unit.file("enabled").touch()
            if "--now" in words:
                unit.start()
        case "disable":
            unit.file("enabled").unlink(missing_ok=True)
        case "start":
            unit.start()
        case "stop":
            unit.stop()
        case "restart":
            unit.stop()
            unit.start()
        case "reload":
            unit.reload()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
