"""A configuration in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ConfigError

MINIMAL = "[traptor]\noutput = jsonl:out\n"

KEY = """
[key:first]
consumer_key = ck1
consumer_secret = cs1
access_token = at1
access_token_secret = ats1
"""


class Configuration:
    """An ini, and files beside it; what is wrong is told without the folder's name."""

    minimal = MINIMAL
    key = KEY

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ini = folder / "traptor.ini"

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def load(self, text: str | bytes = MINIMAL + KEY, **environ: str) -> Settings:
        self.write("traptor.ini", text)
        return load_settings(self.ini, environ)

    def problems(self, text: str | bytes, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, **environ)
        return [str(problem).replace(f"{self.folder}/", "") for problem in caught.value.problems]

    def problem(self, text: str | bytes, **environ: str) -> str:
        (problem,) = self.problems(text, **environ)
        return problem

    def warnings(self, text: str = MINIMAL + KEY, **environ: str) -> list[str]:
        return [warning.replace(f"{self.folder}/", "") for warning in self.load(text, **environ).warnings]

    def option(self, section: str, line: str) -> str:
        """An ini with one more line in a section."""
        return f"{MINIMAL}{line}\n{KEY}" if section == "traptor" else f"{MINIMAL}{KEY}[{section}]\n{line}\n"


def own_key_file(path: Path) -> None:
    """A key file with one key, which its owner alone may open."""
    parts = "\n".join(f"    {name}: {name}-1" for name in ("access_token", "consumer_secret"))
    path.write_text(f"apikeys:\n  - consumer_key: ck1\n    access_token_secret: ats1\n{parts}\n")
    path.chmod(0o600)
