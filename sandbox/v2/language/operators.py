"""The operators `name:argument`: the arguments they take, and the terms they make."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from traptor.sandbox.v2.language import content
from traptor.sandbox.v2.language.areas import bounding_box, place, place_country, point_radius
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.nodes import Sign, Term
from traptor.sandbox.v2.language.words import fold, spaced, split

_USER = re.compile(r"[A-Za-z0-9_]{1,20}")
_ID = re.compile(r"[0-9]{1,19}")
_COUNT = re.compile(r"[0-9]{1,12}")
_RANGE = re.compile(r"([0-9]{1,12})(?:\.\.([0-9]{1,12}))?")
_CONTEXT = re.compile(r"[0-9]+\.([0-9]+|\*)|\*\.[0-9]+")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_HAS = {"hashtags", "cashtags", "links", "mentions", "media", "images", "videos", "video_link", "geo"}
_IS = {"retweet", "reply", "quote", "verified", "nullcast"}
_CODES = """
am ar hy eu bn bs bg my hr ca cs da nl en et fi fr ka de el gu ht iw he hi hu is in id it ja kn km ko lo lv lt
ml dv mr ne no or pa ps fa pl pt ro ru sr zh zh-cn zh-tw sd si sk sl ckb es sv tl ta te th bo tr uk ur ug vi
cy und art qam qct qht qme qst zxx
"""
_LANGUAGES = set(_CODES.split())
_SAME_LANGUAGES = {"he": "iw", "id": "in"}


@dataclass(frozen=True, slots=True)
class Argument:
    """The text after the colon, and its position; `form` is the mark around it: `"`, `[` or none."""

    text: str
    position: int
    form: str = ""

    def refuse(self, reason: str) -> InvalidRule:
        """Return the error about this argument."""
        return InvalidRule(reason, self.position)

    def must_be(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Return the match of the whole argument. Raises InvalidRule."""
        match = pattern.fullmatch(self.text) if self.form != "[" else None
        if match is None:
            raise self.refuse(f"{self.text[:40]!r} is not {what}")
        return match

    def tokens(self) -> list[str]:
        """Return the tokens of a keyword, or of a phrase in quotes. Raises InvalidRule."""
        found = split(self.text) if self.form != "[" else []
        if not found:
            raise self.refuse("a keyword or a phrase in quotes is expected")
        return found


Maker = Callable[[Argument], Term]


def make_term(name: str, argument: Argument, position: int, known: Mapping[str, Maker]) -> Term:
    """Return the term of one of the known operators, which stands at `position`. Raises InvalidRule."""
    maker = known.get(name.lower())
    if maker is None:
        raise InvalidRule(f"reference to invalid operator {name!r}", position)
    if not argument.text.strip():
        raise argument.refuse(f"{name}: an argument is expected")
    return maker(argument)


def _of_users(operator: str, users: Callable[[Facts], frozenset[str]]) -> Maker:
    def make(argument: Argument) -> Term:
        argument.must_be(_USER, "one user name, without @, or one user id")
        user = fold(argument.text)
        return Term(lambda facts: user in users(facts), frozenset({f"{operator}:{user}"}))

    return make


def _of_post(operator: str, post_id: Callable[[Facts], str]) -> Maker:
    def make(argument: Argument) -> Term:
        argument.must_be(_ID, "the id of a post")
        wanted = argument.text
        return Term(lambda facts: post_id(facts) == wanted, frozenset({f"{operator}:{wanted}"}))

    return make


def _of_profile(said: Callable[[Facts], str]) -> Maker:
    def make(argument: Argument) -> Term:
        phrase = spaced(argument.tokens())
        return Term(lambda facts: phrase in spaced(split(said(facts))))

    return make


def _of_counts(name: str) -> Maker:
    def make(argument: Argument) -> Term:
        low, high = argument.must_be(_RANGE, "a number or a range like 10..100").groups()
        least, most = int(low), int(high) if high else None
        if most is not None and most < least:
            raise argument.refuse(f"{argument.text!r} ends before it begins")

        def test(facts: Facts) -> bool:
            number = facts.counts.get(name, 0)
            return least <= number and (most is None or number <= most)

        return Term(test, may_stand_alone=False)

    return make


def _of_least(name: str) -> Maker:
    def make(argument: Argument) -> Term:
        least = int(argument.must_be(_COUNT, "a number")[0])
        return Term(lambda facts: facts.counts.get(name, 0) >= least, may_stand_alone=False)

    return make


def _nowhere(pattern: re.Pattern[str] | None, what: str) -> Maker:
    """Accept what the sandbox's posts never have."""

    def make(argument: Argument) -> Term:
        if pattern is None:
            argument.tokens()
        else:
            argument.must_be(pattern, what)
        return Term(lambda _facts: False, frozenset())

    return make


def _has(argument: Argument) -> Term:
    kind = _one_of(argument, _HAS, "has:")
    kind = "video_link" if kind == "videos" else kind
    return Term(lambda facts: kind in facts.has, may_stand_alone=False)


def _is(argument: Argument) -> Term:
    kind = _one_of(argument, _IS, "is:")
    sign = Sign.NEGATIVE if kind == "nullcast" else Sign.EITHER
    return Term(lambda facts: kind in facts.kinds, may_stand_alone=False, sign=sign)


def _lang(argument: Argument) -> Term:
    code = _one_of(argument, _LANGUAGES, "lang:")
    wanted = _SAME_LANGUAGES.get(code, code)
    return Term(lambda facts: _SAME_LANGUAGES.get(facts.lang, facts.lang) == wanted, may_stand_alone=False)


def _sample(argument: Argument) -> Term:
    percent = int(argument.must_be(_COUNT, "a percentage from 1 to 100")[0])
    if not 1 <= percent <= 100:
        raise argument.refuse(f"{percent} is not a percentage from 1 to 100")
    return Term(
        lambda facts: zlib.crc32(facts.post_id.encode()) % 100 < percent,
        may_stand_alone=False,
        sign=Sign.POSITIVE,
    )


def _source(argument: Argument) -> Term:
    wanted = fold(argument.text)
    return Term(lambda facts: facts.source == wanted, may_stand_alone=False)


def _one_of(argument: Argument, known: set[str], operator: str) -> str:
    text = argument.text.lower()
    if argument.form or text not in known:
        raise argument.refuse(f"{operator} does not take {argument.text[:40]!r}")
    return text


def _country(argument: Argument) -> Term:
    return place_country(argument.must_be(_COUNTRY, "a country code of two letters")[0])


def _box(argument: Argument) -> Term:
    return bounding_box(argument.text, argument.form == "[", argument.position)


def _circle(argument: Argument) -> Term:
    return point_radius(argument.text, argument.form == "[", argument.position)


_REPLIED = _of_post("in_reply_to_tweet_id", lambda facts: facts.replied_id)
_REPOSTED = _of_post("retweets_of_tweet_id", lambda facts: facts.reposted_id)
_REPOSTS_OF = _of_users("retweets_of", lambda facts: facts.repost_of)

OPERATORS: Mapping[str, Maker] = {
    "from": _of_users("from", lambda facts: facts.author),
    "to": _of_users("to", lambda facts: facts.reply_to),
    "retweets_of": _REPOSTS_OF,
    "retweets_of_user": _REPOSTS_OF,
    "from_affiliate_of": _nowhere(_USER, "one user name or user id"),
    "to_affiliate_of": _nowhere(_USER, "one user name or user id"),
    "retweets_of_tweet_id": _REPOSTED,
    "retweets_of_status_id": _REPOSTED,
    "in_reply_to_tweet_id": _REPLIED,
    "in_reply_to_status_id": _REPLIED,
    "conversation_id": _of_post("conversation_id", lambda facts: facts.conversation_id),
    "url": lambda argument: content.url(argument.tokens()),
    "url_contains": lambda argument: content.url_contains(argument.text),
    "url_title": lambda argument: content.url_title(argument.tokens()),
    "url_description": lambda argument: content.url_description(argument.tokens()),
    "bounding_box": _box,
    "geo_bounding_box": _box,
    "point_radius": _circle,
    "place": lambda argument: place(argument.text, argument.tokens()),
    "place_country": _country,
    "has": _has,
    "is": _is,
    "lang": _lang,
    "sample": _sample,
    "context": _nowhere(_CONTEXT, "a pair like 10.799022225751871488"),
    "entity": _nowhere(None, ""),
    "bio": _of_profile(lambda facts: facts.profile.bio),
    "bio_name": _of_profile(lambda facts: facts.profile.name),
    "bio_location": _of_profile(lambda facts: facts.profile.location),
    "source": _source,
    "followers_count": _of_counts("followers"),
    "following_count": _of_counts("following"),
    "friends_count": _of_counts("following"),
    "tweets_count": _of_counts("tweets"),
    "statuses_count": _of_counts("tweets"),
    "listed_count": _of_counts("listed"),
    "min_followers": _of_least("followers"),
    "min_likes": _of_least("likes"),
    "min_replies": _of_least("replies"),
    "min_reposts": _of_least("reposts"),
}
