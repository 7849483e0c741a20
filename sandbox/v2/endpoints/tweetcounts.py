"""GET /2/tweets/counts/recent: how many recent posts a query finds, by day or hour."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from aiohttp import web

from traptor.sandbox.archive import Archive
from traptor.sandbox.clock import Clock
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.sandbox.v2.parameters.paging import check_names
from traptor.sandbox.v2.posts import read_post

_STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_SPAN = timedelta(days=7)
_FORM = "%Y-%m-%dT%H:%M:%S.000Z"
_MOST_CHARACTERS = 512
_LAST_TWEETS = 2_000


class TweetCountsEndpoint:
    """Counts among the last tweets of the timeline."""

    def __init__(self, archive: Archive, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock

    async def count(self, request: web.Request, _call: Call) -> web.Response:
        """Answer with the counts of the last seven days."""
        check_names(request.query, ("query", "granularity", "search_count.fields"))
        step = _STEPS.get(request.query.get("granularity", "hour"))
        if step is None:
            message = "The `granularity` query parameter value is not one of [day,hour]"
            raise problems.invalid_request(message, {"granularity": [request.query["granularity"]]})
        found = self._found(request.query.get("query", ""), step)
        now = datetime.fromtimestamp(self._clock().unix, UTC)
        start = now - _SPAN
        data = []
        while start < now:
            end = min(_floor(start, step) + step, now)
            bucket = {"start": start, "end": end}
            times = {name: time.strftime(_FORM) for name, time in bucket.items()}
            data.append({**times, "tweet_count": found[_floor(start, step)]})
            start = end
        return answer_json({"data": data, "meta": {"total_tweet_count": found.total()}})

    def _found(self, query: str, step: timedelta) -> Counter[datetime]:
        try:
            rule = parse_rule(query, _MOST_CHARACTERS)
        except InvalidRule as error:
            raise problems.invalid_request(str(error), {"query": [query]}) from None
        found: Counter[datetime] = Counter()
        for unix, tweet in self._archive.last(_LAST_TWEETS):
            post = read_post(tweet)
            if post is not None and rule.matches(post.facts):
                found[_floor(datetime.fromtimestamp(unix, UTC), step)] += 1
        return found


def _floor(time: datetime, step: timedelta) -> datetime:
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(step.total_seconds()), UTC)
