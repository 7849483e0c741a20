"""The maker of tweets: pure, apart from its own random numbers and its counter of ids."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from random import Random

from traptor.sandbox.tweets.filler import Filler
from traptor.sandbox.tweets.forms import FORMS, Form, can_match
from traptor.sandbox.tweets.status import TWITTER_EPOCH_MS, Draft, render
from traptor.sandbox.tweets.twitterjson import twitter_json
from traptor.sandbox.tweets.values import FilterType, Value

_SECOND_VALUE_SHARE = 0.05
NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Tweet:
    """A finished tweet: its JSON without line end, what it is made for, and in which form."""

    id: int | None
    values: tuple[Value, ...]
    form: str
    json: bytes
    is_for_all: bool = False


class TweetMaker:
    """Makes tweets for values; the same seed, rules and calls give the same tweets."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._last_id = 0
        self.set_values(())

    def set_values(self, values: Collection[Value]) -> None:
        """Make tweets for these values from now on."""
        usable = [value for value in dict.fromkeys(values) if can_match(value)]
        self._by_type = {kind: [value for value in usable if value.type is kind] for kind in FilterType}
        self._types = [kind for kind in FilterType if self._by_type[kind]]
        self._filler = Filler(self._rng, values)

    def make(self, now_unix_s: float, noise: float) -> Tweet:
        """Make the next tweet: with probability `noise` for no value, else for one or two of the rules'.

        The types are equally frequent, however many values each has.
        """
        if not self._types or self._rng.random() < noise:
            return self._finish(self._noise(), (), NOISE, now_unix_s)
        kinds = [self._rng.choice(self._types)]
        if self._rng.random() < _SECOND_VALUE_SHARE:
            kinds = self._rng.sample(self._types, min(2, len(self._types)))
        return self.make_for([self._rng.choice(self._by_type[kind]) for kind in kinds], now_unix_s)

    def make_for(self, values: list[Value], now_unix_s: float) -> Tweet:
        """Make a tweet for these values, each of a different type."""
        draft = self._filler.draft()
        names = []
        for value in sorted(values, key=lambda value: value.type is FilterType.FOLLOW):
            form = self._form(value, must_be_outer=len(values) > 1)
            form.fill(self._filler, draft, value.text)
            names.append(f"{value.type}:{form.name}")
        if all(value.type is not FilterType.LOCATIONS for value in values):
            self._filler.adorn(draft)
        return self._finish(draft, tuple(values), sys.intern("+".join(names)), now_unix_s)

    def _form(self, value: Value, must_be_outer: bool) -> Form:
        forms = [
            form
            for form in FORMS[value.type]
            if form.fits(value.text)
            and (form.is_outer or not must_be_outer)
            and (form.name != "link" or self._filler.may_link)
        ]
        return self._rng.choice(forms)

    def _noise(self) -> Draft:
        draft = self._filler.draft()
        chance = self._rng.random()
        if chance < 0.2:
            draft.retweeted = self._filler.draft()
            draft.retweeted.age_s = self._rng.randrange(60, 86_400)
        elif chance < 0.3:
            draft.reply_to = self._filler.stranger()
            draft.replies_to_status = True
        self._filler.adorn(draft)
        return draft

    def next_id(self, now_unix_s: float) -> int:
        """Return an id of this moment, higher than all before."""
        by_time = (int(now_unix_s * 1000) - TWITTER_EPOCH_MS) << 22
        self._last_id = max(by_time, self._last_id + 1)
        return self._last_id

    def _finish(self, draft: Draft, values: tuple[Value, ...], form: str, now_unix_s: float) -> Tweet:
        tweet_id = self.next_id(now_unix_s)
        return Tweet(tweet_id, values, form, twitter_json(render(draft, tweet_id)))
