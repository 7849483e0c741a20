"""This machine once more: programs see its files, and whatever they write is gone with it.

Its root is an overlay over this one's, with the changes in memory; users and packages that are made in it
exist nowhere else. One folder is shared with this machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from support.waiting import DEADLINE_S

PYTHON = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info))
"""A Python there that every user can run."""

_SCRIPT = """
set -e
mkdir -p "$1"
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for place in /dev /sys; do mount --rbind "$place" "$1/root$place"; done
mount -t proc proc "$1/root/proc"
mount --bind "$2" "$1/root$2"
exec chroot "$1/root" sh -c 'echo ready; exec sleep infinity'
"""


@contextmanager
def twin(shared: Path) -> Iterator[tuple[str, ...]]:
    """The words that make the command after them run there; the test is skipped where there can be none."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    if shutil.which("unshare") is None:
        pytest.skip("no machine can be doubled here: unshare is not installed")
    process = subprocess.Popen(
        [*unshare, "sh", "-c", _SCRIPT, "twin", shared / "twin", shared],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if said != "ready":
            pytest.skip(f"no machine can be doubled here, which takes root and overlays: {said}")
        [init] = psutil.Process(process.pid).children()
        enter = ("nsenter", "--target", str(init.pid), "--mount", "--pid", "--root", "--wdns=/")
        subprocess.run([*enter, "chmod", "a+x", *PYTHON.parents], check=True)
        yield enter
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        if process.stdout is not None:
            process.stdout.close()
