"""Any number of rules, made up from a seed, in their form from Redis."""

from __future__ import annotations

from random import Random

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule

_NO_LIMITS = Limits(10**9, 10**9, 10**9)
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvz", "aeiou"


def made_up_word(rng: Random) -> str:
    """Return three to four syllables that no language has."""
    return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.choice((3, 4))))


def track_rules(count: int, seed: int = 1) -> list[Rule]:
    """Return phrases: of one word (three in ten), of two, sharing one, and hashtags (two in ten)."""
    rng = Random(seed)
    subjects = [made_up_word(rng) for _ in range(max(4, count // 20))]
    words: dict[str, None] = {}
    while len(words) < count:
        word = made_up_word(rng)
        kind = len(words) % 10
        text = word if kind < 3 else f"#{word}" if kind < 5 else f"{rng.choice(subjects)} {word}"
        words[text] = None
    return [_rule("track", number, text) for number, text in enumerate(words)]


def follow_rules(count: int, seed: int = 1) -> list[Rule]:
    """Return users, by numeric ids of 19 digits, as new accounts have."""
    users = Random(seed).sample(range(10**18, 2 * 10**18), count)
    return [_rule("follow", number, str(user)) for number, user in enumerate(users)]


def box_rules(count: int, seed: int = 1) -> list[Rule]:
    """Return boxes of one to four degrees."""
    rng = Random(seed)
    boxes = []
    for _ in range(count):
        west, south = round(rng.uniform(-170, 160), 2), round(rng.uniform(-70, 70), 2)
        boxes.append(f"{west},{south},{west + rng.uniform(1, 4):.2f},{south + rng.uniform(1, 4):.2f}")
    return [_rule("locations", number, box) for number, box in enumerate(boxes)]


def rule_fields(rule_type: str, number: int, value: str) -> dict[str, str]:
    """Return a hash of nine fields, as rule managers write them."""
    return {
        "rule_id": str(number),
        "value": value,
        "tag": f"project-{number % 17}.topic-{number % 5}",
        "rule_type": rule_type,
        "orig_type": {"track": "keyword", "follow": "userid", "locations": "geo"}[rule_type],
        "status": "active",
        "description": "made up for a measurement",
        "appid": "benchmark",
        "date_added": "2026-11-01 00:00:00",
    }


def _rule(rule_type: str, number: int, value: str) -> Rule:
    key = f"traptor-{rule_type}:0:{number}"
    found = read_rule(key, rule_fields(rule_type, number, value), True, _NO_LIMITS)
    assert isinstance(found, Rule), found
    return found
