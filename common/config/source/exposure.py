"""Warn of files with secrets that others than their owner may open."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from traptor.common.config.keys.draft import SECRET_MEMBERS, KeyDraft
from traptor.common.config.kinds.urls import url_secrets
from traptor.common.config.report import Position, Problems
from traptor.common.config.source.expansion import Value
from traptor.common.config.source.textfile import TextFile


def warn_of_exposure(file: TextFile, report: Problems) -> None:
    """Warn if others may open a file that holds secrets."""
    if file.others_may_open and not _is_credential(file.path):
        report.warn(
            Position(str(file.path)),
            f"holds secrets, and others may open it (mode {file.mode:04o}); chmod 600 it",
        )


def secret_values(drafts: Iterable[KeyDraft]) -> list[Value]:
    """Return the values in keys that must stay secret."""
    return [
        value
        for draft in drafts
        for member, value in draft.members.items()
        if value is not None and (member in SECRET_MEMBERS or (member == "proxy" and url_secrets_of(value)))
    ]


def url_secrets_of(value: Value) -> tuple[str, ...]:
    """Return the secret parts of a URL; empty when the value is not a URL."""
    try:
        return url_secrets(value.text)
    except ValueError:
        return ()


def _is_credential(path: Path) -> bool:
    """Tell whether systemd placed the file: it may use an ACL, which looks like access for the group."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.is_relative_to(folder)
