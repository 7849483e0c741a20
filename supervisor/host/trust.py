"""Refuse folders in which others could have our files overwritten, and files there that are links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.errors import ConfigError, Problem
from traptor.common.files.folders import who_may_change
from traptor.common.files.opening import LINK, stream_behind

_OUTPUT = "[traptor] output"
_LOG_DIR = "[supervisor] log_dir"
# The names of our files in folders where other files may be, too.
_NAMES = {_OUTPUT: "*:*.jsonl", _LOG_DIR: "*:*.log"}
_MASTER_LOG = "supervisor.log"


def written_folders(traptor: TraptorSection | None, supervisor: SupervisorSection | None) -> dict[str, Path]:
    """Return the folders that these sections name, by option."""
    named: dict[str, Path] = {}
    if supervisor is not None:
        named["[supervisor] run_dir"] = supervisor.run_dir
        named["[supervisor] state_dir"] = supervisor.state_dir
        if supervisor.log_dir is not None:
            named[_LOG_DIR] = supervisor.log_dir
    kind, _, place = ("", "", "") if traptor is None else traptor.output.partition(":")
    if kind == "jsonl" and place != "-":
        named[_OUTPUT] = Path(place)
    return named


def distrusted(folders: Mapping[str, Path]) -> Iterator[Problem]:
    """Yield why folders, given by option, and our files in them cannot be trusted."""
    for option, folder in folders.items():
        if others := who_may_change(folder):
            yield Problem(option, f"cannot be trusted: {others}")
        else:
            yield from (Problem(option, f"{path}: {LINK}{_or(option)}") for path in _links(option, folder))


def require_trust(folders: Mapping[str, Path]) -> None:
    """Raise ConfigError if any of these folders, given by option, or our files in them cannot be trusted."""
    if problems := list(distrusted(folders)):
        raise ConfigError(problems)


def _links(option: str, folder: Path) -> list[Path]:
    """Return our files in a folder that are links, but for logs on our own stdout and stderr."""
    try:
        found = sorted(folder.glob(_NAMES[option])) if option in _NAMES else []
    except OSError:
        return []  # it cannot be read, which others say
    if option == _LOG_DIR:
        found = [path for path in (*found, folder / _MASTER_LOG) if stream_behind(path) is None]
    return [path for path in found if path.is_symlink()]


def _or(option: str) -> str:
    return ", or set log_dir" if option == _LOG_DIR else ", or name another folder"
