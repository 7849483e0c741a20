"""The shipped logrotate file, for the logs of a test."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from support.paths import DEPLOY


def rotation_of(logs: Path, place: Path) -> Path:
    """Write the file for a folder of logs and this user, and return it."""
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    text = (DEPLOY / "logrotate" / "traptor").read_text()
    assert "traptor traptor" in text
    text = text.replace("/var/log/traptor", str(logs)).replace("traptor traptor", f"{user} {group}")
    place.write_text(text)
    place.chmod(0o644)
    return place
