"""The commands of the rule kit, as somebody at a terminal uses them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from click.testing import CliRunner, Result

from traptor.rulekit.commands.group import rules


@dataclass(frozen=True)
class Desk:
    """Somebody at the command line."""

    folder: Path
    redis: redis.Redis
    ini: Path

    def run(self, *words: str, exit_code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(rules, ["-c", str(self.ini), *words], input=stdin)
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result

    def json(self, *words: str, exit_code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", exit_code=exit_code).stdout)

    def error(self, *words: str, exit_code: int = 1) -> str:
        return self.run(*words, exit_code=exit_code).stderr

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def jsonl(self, name: str, *rules: dict[str, str]) -> str:
        return self.write(name, "".join(json.dumps(rule) + "\n" for rule in rules))

    def names(self, pattern: str = "traptor-*") -> list[str]:
        return sorted(key.decode() for key in self.redis.scan_iter(pattern, count=1000))

    def fields(self, key: str) -> dict[str, str]:
        return {name.decode(): text.decode() for name, text in self.redis.hgetall(key).items()}
