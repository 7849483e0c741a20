"""Real database servers for tests: Debian's MariaDB and PostgreSQL, installed or fetched once."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from trial.ports import free_port

from support.waiting import DEADLINE_S

_FETCH_S = 300
_MARIADB = ("mariadb-server-core", "liburing2", "libaio1", "libnuma1")
_NOBODY = "nobody"


def need(reason: str) -> None:
    pytest.skip(reason)


def cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "traptor"


def fetched(name: str, packages: Sequence[str]) -> Path:
    """The content of Debian packages, unpacked into a cache; nothing is installed."""
    folder = cache_folder() / name
    if folder.exists():
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        need(f"{name} is not installed, and there is no apt-get to fetch it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as new:
        if _run(["apt-get", "download", *packages], new) is not None:
            _run(["apt-get", "update"], new)
            if problem := _run(["apt-get", "download", *packages], new):
                need(f"{name} cannot be fetched: {problem}")
        unpacked = Path(new) / "unpacked"
        for package in Path(new).glob("*.deb"):
            assert _run(["dpkg", "-x", str(package), str(unpacked)], new) is None
        try:
            unpacked.rename(folder)
        except OSError:
            assert folder.exists()  # another process was faster
    return folder


def _run(command: Sequence[str], folder: str) -> str | None:
    """None if it worked, else the end of what it said."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False)
    return None if ended.returncode == 0 else (ended.stderr or ended.stdout)[-300:]


@contextmanager
def running_mariadb(folder: Path) -> Iterator[str]:
    """A MariaDB without users and passwords, in which any may connect; its URL."""
    program, environ = shutil.which("mariadbd"), dict(os.environ)
    shared: list[str] = []
    if program is None:
        root = fetched("mariadb", _MARIADB)
        program = str(root / "usr/sbin/mariadbd")
        libraries = (root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu")
        libraries = (*libraries, *root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu"))
        environ["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        shared = [f"--lc-messages-dir={root}/usr/share/mysql"]
    data, port = folder / "mariadb", free_port()
    data.mkdir()
    command = [
        program,
        "--no-defaults",
        *([f"--user={pwd.getpwuid(os.getuid()).pw_name}"]),
        f"--datadir={data}",
        f"--socket={data}/s",
        f"--pid-file={data}/pid",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-grant-tables",
        "--skip-networking=0",
        "--innodb-buffer-pool-size=16M",
        *shared,
    ]
    with _serving(command, folder / "mariadb.log", environ, "ready for connections"):
        yield f"mariadb://ann:s3cr3t-pw@127.0.0.1:{port}"


@contextmanager
def running_postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL that any user of this host may use; its URL."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr/local/bin").glob("initdb")]
    if not found:
        need("PostgreSQL is not installed (Debian: postgresql)")
    binaries = found[0] if found[0].is_dir() else found[0].parent
    data, port = Path(tempfile.mkdtemp(prefix="traptor-pg-")), free_port()
    user = _NOBODY if os.getuid() == 0 else None  # it does not run as root
    try:
        if user is not None:
            shutil.chown(data, user)
        initdb = [
            str(binaries / "initdb"),
            "-D",
            f"{data}/d",
            "-U",
            "ann",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        ended = subprocess.run(initdb, user=user, cwd="/", capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        command = [str(binaries / "postgres"), "-D", f"{data}/d", "-p", str(port), "-k", str(data), "-F"]
        ready = "ready to accept connections"
        with _serving([*command, "-h", "127.0.0.1"], folder / "pg.log", dict(os.environ), ready, user):
            yield f"postgresql://ann:s3cr3t-pw@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(data)


@contextmanager
def _serving(
    command: Sequence[str], log: Path, environ: dict[str, str], ready: str, user: str | None = None
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ, cwd="/", user=user)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while ready not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
