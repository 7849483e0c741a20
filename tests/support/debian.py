"""Programs of Debian's: as installed, or fetched once by apt and unpacked beside, which needs no root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_FETCH_S = 300
_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")


@dataclass(frozen=True)
class Program:
    """A program, and the environment that it needs."""

    path: Path
    env: dict[str, str]

    def run(
        self, *arguments: str | Path, env: dict[str, str] | None = None, stdin: Path = Path(os.devnull)
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path, *arguments],
            env={**os.environ, **self.env, **(env or {})},
            input=stdin.read_text(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )


def debian_program(name: str, *packages: str) -> Program:
    """The program, from its package and those that it needs; skips the test where it is not to be had."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
    if found:
        return Program(Path(found), {})
    if shutil.which("apt-get") is None:
        pytest.skip(
            f"{name} is not installed, and without apt-get it cannot be fetched: install {packages[0]}"
        )
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "traptor" / "debian" / packages[0]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "unpacked").exists():
            _fetch(folder, packages)
    libraries = os.pathsep.join(sorted({str(one.parent) for one in (folder / "unpacked").glob("**/*.so*")}))
    for place in _FOLDERS:
        if (path := folder / "unpacked" / place / name).exists():
            return Program(path, {"LD_LIBRARY_PATH": libraries} if libraries else {})
    raise AssertionError(f"{packages[0]} has no program {name}")


def with_what_it_needs(package: str) -> tuple[str, ...]:
    """A package and all that it needs and that is not installed; the package alone without apt-get."""
    if shutil.which("apt-get") is None:
        return (package,)
    command = ["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", package]
    lines = _run(Path.cwd(), command).stdout.splitlines()
    needed = [line.split()[1].partition("_")[0] for line in lines if line.startswith("'")]
    return (package, *(name for name in needed if name != package))


def _fetch(folder: Path, packages: tuple[str, ...]) -> None:
    download = ["apt-get", "download", "-q", *packages]
    done = _run(folder, download)
    if done.returncode and os.geteuid() == 0:
        _run(folder, ["apt-get", "update", "-q"])
        done = _run(folder, download)
    if done.returncode:
        pytest.skip(
            f"apt-get cannot fetch {', '.join(packages)}, install {packages[0]}: {done.stderr.strip()}"
        )
    unpacked = folder / "unpacking"
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True, timeout=_FETCH_S)
        package.unlink()
    unpacked.rename(folder / "unpacked")


def _run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False)
