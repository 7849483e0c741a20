"""Runs the supervisor as a unit of systemd confines it: files, system calls, address families, capabilities.

    python confined.py UNIT FOLDERS ARGUMENTS ...

FOLDERS, with colons between, can be written to, and nothing else (ProtectSystem=strict); processes of other
users are hidden (ProtectProc=invisible).

What systemd itself would do before the exec is done here by the kernel's own calls: no systemd needs to run.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNS = 0x20000  # linux/sched.h
_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 1, 0x20, 0x1000  # linux/mount.h
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_CAPBSET_DROP = 24  # linux/prctl.h
_PR_SET_MDWE = 65
_MDWE_REFUSE_EXEC_GAIN = 1
_LAST_CAPABILITY = 63
_ALLOW = 0x7FFF0000  # libseccomp's SCMP_ACT_*, SCMP_CMP_*
_ERRNO_EPERM = 0x00050000 | errno.EPERM
_EQUALS = 4
_libc = ctypes.CDLL(None, use_errno=True)


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def settings(unit: Path, name: str) -> list[str]:
    """The words of an option of the unit, in order; a line that begins with ~ gives each word a ~."""
    words = []
    for line in re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE):
        mark = "~" if line.startswith("~") else ""
        words += [mark + word for word in line.removeprefix("~").split()]
    return words


def calls(name: str) -> Iterator[str]:
    """The system calls of a set such as @system-service."""
    if not name.startswith("@"):
        yield name
        return
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    for line in told.stdout.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            yield from calls(line.strip())


def allowed_calls(unit: Path) -> set[str]:
    """What SystemCallFilter leaves, and what systemd always allows with it."""
    allowed = set(calls("@default")) | {"execve"}
    for word in settings(unit, "SystemCallFilter"):
        if word.startswith("~"):
            allowed -= set(calls(word.removeprefix("~")))
        else:
            allowed |= set(calls(word))
    return allowed


def protect_files(writable: list[str]) -> None:
    """Make all files read-only for this process and its children, but in these folders, /dev and /proc."""
    _check(_libc.unshare(_CLONE_NEWNS))
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    for folder in writable:
        _mount(folder, folder, None, _MS_BIND)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in points:
        if point not in writable and not point.startswith(("/dev", "/proc", "/sys")):
            _mount("none", point, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    _mount("proc", "/proc", "proc", 0, b"hidepid=2")


def _mount(source: str, target: str, kind: str | None, flags: int, options: bytes | None = None) -> None:
    kind_bytes = kind.encode() if kind else None
    _check(_libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), options), target)


def _check(result: int, what: str = "") -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)


def confine(unit: Path) -> None:
    """Confine this process, and what it will execute."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if settings(unit, "MemoryDenyWriteExecute") == ["yes"]:
        _libc.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)  # kernels before 6.3 do not have it
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO_EPERM))
    for name in allowed_calls(unit) - {"socket"}:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            seccomp.seccomp_rule_add_array(context, _ALLOW, number, 0, None)
    for family in settings(unit, "RestrictAddressFamilies"):
        only = _Comparison(0, _EQUALS, getattr(socket, family), 0)
        number = seccomp.seccomp_syscall_resolve_name(b"socket")
        seccomp.seccomp_rule_add_array(context, _ALLOW, number, 1, ctypes.byref(only))
    if seccomp.seccomp_load(context) != 0:
        sys.exit("seccomp_load failed")


if __name__ == "__main__":
    unit, folders, *arguments = sys.argv[1:]
    if os.geteuid() == 0:  # nobody else may mount
        protect_files(folders.split(":"))
    confine(Path(unit))
    # The coverage of what it runs could be written nowhere.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    os.execve(sys.executable, [sys.executable, "-m", "traptor.supervisor", *arguments], environ)
