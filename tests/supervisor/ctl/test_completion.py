"""Bash completes the names of connections, of which each has a colon, whatever of it stands there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from traptor.supervisor.ctl.cli import main

TOLD = "#!/bin/sh\necho \"$COMP_CWORD $COMP_WORDS\" > asked\nprintf 'plain,track:0\\nplain,track:10\\n'\n"


@pytest.mark.parametrize(
    ("typed", "replies", "asked"),
    [
        ("restart ", ["track:0", "track:10"], "2 traptorctl restart "),
        ("restart tr", ["track:0", "track:10"], "2 traptorctl restart tr"),
        ("restart track:", ["0", "10"], "2 traptorctl restart track:"),
        ("restart track:1", ["0", "10"], "2 traptorctl restart track:1"),
        ("-c a.ini restart track:", ["0", "10"], "4 traptorctl -c a.ini restart track:"),
    ],
)
def test_bash_completes_a_name_around_its_colon(
    tmp_path: Path, typed: str, replies: list[str], asked: str
) -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).output
    told = tmp_path / "told"
    told.write_text(TOLD)
    told.chmod(0o755)
    line = f"traptorctl {typed}"
    program = f"""{script}
    COMP_LINE='{line}' COMP_POINT={len(line)}
    function=$(complete -p traptorctl | sed 's/.*-F //; s/ .*//')
    $function ./told
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert done.stdout.split() == replies
    assert (tmp_path / "asked").read_text().split() == asked.split()
