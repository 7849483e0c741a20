"""Everything in a tweet besides its value: chosen so that it matches no rule by accident."""

from __future__ import annotations

import string
from collections.abc import Collection
from random import Random

from traptor.sandbox.tweets.status import Draft, Geo
from traptor.sandbox.tweets.text import Token, link, word
from traptor.sandbox.tweets.users import User
from traptor.sandbox.tweets.values import FilterType, Value
from traptor.sandbox.tweets.vocabulary import PLACES, pieces, words_without

Box = tuple[float, float, float, float]
_SLUG = string.ascii_letters + string.digits
_WEB_TEXT = "http https www t co com pic twitter site example i web status photo 1 rt"  # parts of every link
_WEB_PIECES = frozenset(_WEB_TEXT.split())
_TRIES = 20


class Filler:
    """Makes words, people, links and places that none of the values match."""

    def __init__(self, rng: Random, values: Collection[Value]) -> None:
        self.rng = rng
        phrases = [value.text for value in values if value.type is FilterType.TRACK]
        self._words = words_without(phrases)
        self._followed = {int(value.text) for value in values if value.type is FilterType.FOLLOW}
        self._boxes = [value.box() for value in values if value.type is FilterType.LOCATIONS]
        self.may_link = _WEB_PIECES.isdisjoint(piece for phrase in phrases for piece in pieces(phrase))

    def draft(self) -> Draft:
        """Return a tweet about nothing by a user that no rule follows."""
        rng = self.rng
        counts = (rng.randrange(9), rng.randrange(30), rng.randrange(90), rng.randrange(200))
        return Draft(self.stranger(), self.sentence(4, 14), self.slug(), counts=counts)

    def adorn(self, draft: Draft) -> None:
        """Give some tweets a photo, a link, a place or earlier versions, which match nothing either."""
        chance = self.rng.random()
        if draft.retweeted is not None:
            return
        if chance < 0.15:
            draft.has_photo = self.may_link
        elif chance < 0.3 and self.may_link:
            draft.tokens.append(self.page(self.words(2)))
        elif chance < 0.36 and draft.geo is None:
            draft.geo = self.elsewhere()
        elif chance < 0.38:
            draft.edits = self.rng.randint(1, 5)

    def words(self, count: int) -> list[str]:
        """Return that many filler words."""
        return self.rng.choices(self._words, k=count)

    def sentence(self, least: int, most: int) -> list[Token]:
        """Return words; some have punctuation or begin with a capital."""
        return [self._spice(text) for text in self.words(self.rng.randint(least, most))]

    def user(self, user_id: int) -> User:
        """Return the user with this id."""
        words = self._words
        first, second = words[user_id % len(words)], words[user_id // 7 % len(words)]
        about = f"{second} {first} {words[user_id // 11 % len(words)]}"
        screen_name = f"u{user_id % 10**14}"
        return User(user_id, screen_name, f"{first} {second}", about, PLACES[user_id % len(PLACES)])

    def stranger(self) -> User:
        """Return a user that no rule follows."""
        while True:
            user_id = self.rng.randrange(10**6, 10**18)
            if user_id not in self._followed:
                return self.user(user_id)

    def slug(self) -> str:
        """Return ten characters like those at the end of a t.co link."""
        return "".join(self.rng.choices(_SLUG, k=10))

    def page(self, words: list[str]) -> Token:
        """Return a link to a page with these words in its path."""
        host = self.rng.choice(("www.site.example", "example"))
        return link(self.slug(), f"https://{host}/{'-'.join(words)}")

    def elsewhere(self) -> Geo | None:
        """Return a place outside all boxes; None when none was found quickly."""
        rng = self.rng
        for _ in range(_TRIES):
            west, south = rng.uniform(-179, 178), rng.uniform(-85, 84)
            box = (round(west, 4), round(south, 4), round(west + 0.2, 4), round(south + 0.2, 4))
            if not any(_overlap(box, other) for other in self._boxes):
                point = (round(west + 0.1, 4), round(south + 0.1, 4)) if rng.random() < 0.5 else None
                return Geo(rng.choice(PLACES), box, point)
        return None

    def _spice(self, text: str) -> Token:
        chance = self.rng.random()
        if chance < 0.1:
            return word(text, tail=self.rng.choice(".,!?…"))
        return word(text.capitalize() if chance < 0.2 else text)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
