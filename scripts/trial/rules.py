"""The example's rules as users write them: 5,500 users to follow and 352 phrases to track."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

Value = tuple[str, str]  # type and text, as in Twitter's filter

FOLLOW_RULES = 5500
CHANGED = 12  # rules that one change removes, and as many that it adds
_FIRST_USER, _LAST_USER = 10**18, 2 * 10**18  # 19 digits, as new accounts have
_SUBJECTS = (
    "flood",
    "wildfire",
    "earthquake",
    "heavy storm",
    "power cut",
    "road closed",
    "train delay",
    "evacuation",
    "landslide",
    "heatwave",
    "air quality",
    "drinking water",
    "hospital",
    "school closed",
    "ferry",
    "airport",
)
_TOWNS = (
    "aarhus",
    "bergen",
    "calais",
    "dresden",
    "exeter",
    "funchal",
    "genoa",
    "haarlem",
    "innsbruck",
    "jena",
    "kaunas",
    "leeds",
    "malmo",
    "nantes",
    "oviedo",
    "plovdiv",
    "quimper",
    "riga",
    "salerno",
    "tampere",
)
_HASHTAGS = 32
_NEW_SUBJECT = "volcano"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it stands in Redis."""

    group: str
    rule_id: str
    value: str
    tag: str
    orig_type: str
    description: str

    @property
    def key(self) -> str:
        """The Redis key."""
        return f"traptor-{self.group}:{self.rule_id}"

    @property
    def type(self) -> str:
        """`track` or `follow`."""
        return self.group.partition(":")[0]

    def fields(self, date_added: str) -> dict[str, str]:
        """Return the fields of the hash."""
        return {
            "rule_id": self.rule_id,
            "value": self.value,
            "tag": self.tag,
            "rule_type": self.type,
            "orig_type": self.orig_type,
            "status": "active",
            "description": self.description,
            "appid": "traptor-demo",
            "date_added": date_added,
        }

    def values(self) -> tuple[Value, ...]:
        """Return the values for Twitter: a comma splits alternatives, a hashtag rule gets its `#`."""
        if self.type == "locations":
            return ((self.type, self.value),)
        sign = "#" if self.orig_type == "hashtag" else ""
        return tuple((self.type, sign + text.strip()) for text in self.value.split(","))


def follow_rules(seed: int) -> list[Rule]:
    """Return users, by their numeric ids."""
    users = Random(seed).sample(range(_FIRST_USER, _LAST_USER), FOLLOW_RULES)
    return [
        Rule("follow:0", str(number), str(user), f"newsroom {number % 40}", "userid", "a reporter")
        for number, user in enumerate(users, start=1)
    ]


def track_rules() -> list[Rule]:
    """Return phrases of two or three words, and hashtags: 352 rules of one value."""
    rules = [_phrase_rule(subject, town) for subject in _SUBJECTS for town in _TOWNS]
    for number in range(_HASHTAGS):
        subject, town = ("help", "traffic")[number % 2], _TOWNS[number // 2]
        rules.append(_track_rule(f"tag-{subject}-{town}", subject + town, f"{subject} {town}", "hashtag"))
    return rules


def changed_track_rules(rules: list[Rule]) -> list[Rule]:
    """Return the rules with those about one subject replaced by others; a second call restores them."""
    old, new = (
        [_phrase_rule(subject, town) for town in _TOWNS[:CHANGED]] for subject in (_SUBJECTS[0], _NEW_SUBJECT)
    )
    if old[0] not in rules:
        old, new = new, old
    return [*(rule for rule in rules if rule not in old), *new]


def _phrase_rule(subject: str, town: str) -> Rule:
    return _track_rule(f"{subject.replace(' ', '-')}-{town}", f"{subject} {town}", subject, "keyword")


def _track_rule(rule_id: str, value: str, tag: str, orig_type: str) -> Rule:
    return Rule("track:0", rule_id, value, tag, orig_type, "what people need to know")
