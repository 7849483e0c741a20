"""The differences between the language of filters and that of searches.

X, "Search operators": some operators of the stream are missing. X, changelog of 2026: searches for keywords
return no reposts; here this holds for every term about the content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.nodes import Term
from traptor.sandbox.v2.language.operators import OPERATORS, Argument, Maker

_SEARCHED = """
from to retweets_of retweets_of_user retweets_of_tweet_id retweets_of_status_id in_reply_to_tweet_id
in_reply_to_status_id conversation_id url bounding_box geo_bounding_box point_radius place place_country
context has is lang
"""
SEARCHED = frozenset(_SEARCHED.split())


@dataclass(frozen=True, slots=True)
class Dialect:
    """The operators of one language, and whether terms about the content match reposts."""

    operators: Mapping[str, Maker]
    reads_reposts: bool = True

    def about_content(self, term: Term) -> Term:
        """Return a term about the content as this language means it."""
        return term if self.reads_reposts else _without_reposts(term)


def _without_reposts(term: Term) -> Term:
    test = term.test

    def test_original(facts: Facts) -> bool:
        return not facts.reposted_id and test(facts)

    return replace(term, test=test_original)


def _url(argument: Argument) -> Term:
    return _without_reposts(OPERATORS["url"](argument))


STREAM = Dialect(OPERATORS)
SEARCH = Dialect({name: OPERATORS[name] for name in SEARCHED} | {"url": _url}, reads_reposts=False)
