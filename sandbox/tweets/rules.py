"""Rules as the API and the rule file give them."""

from __future__ import annotations

from pathlib import Path

from traptor.sandbox.errors import BadInput
from traptor.sandbox.tweets.twitterjson import parse_json
from traptor.sandbox.tweets.values import Value, parse_rule

Rule = dict[str, str]


def parse_rules(content: object) -> tuple[list[Rule], list[Value]]:
    """Read a list of rules; return them and their values. Raises BadInput, naming the rule."""
    if not isinstance(content, list):
        raise BadInput('rules: a list of objects like {"type": "track", "value": "flood"} is expected')
    rules: list[Rule] = []
    values: list[Value] = []
    for number, rule in enumerate(content, start=1):
        try:
            values += parse_rule(rule)
        except BadInput as problem:
            raise BadInput(f"rule {number}: {problem}") from None
        rules.append({"type": rule["type"], "value": rule["value"]})
    return rules, values


def load_rules(path: Path) -> tuple[list[Rule], list[Value]]:
    """Read a file with one rule per line. Raises BadInput, naming the line."""
    rules: list[Rule] = []
    values: list[Value] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror})") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rule = parse_json(line)
            values += parse_rule(rule)
        except BadInput as problem:
            raise BadInput(f"{path}:{number}: {problem}") from None
        rules.append({"type": rule["type"], "value": rule["value"]})
    return rules, values
