"""The rules to collect, and the output."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import Groups, OptionalTopic, OtherMessages, Output, YesNo
from traptor.common.config.kinds.ratelimits import RateLimits
from traptor.common.config.kinds.v2 import (
    Api,
    Collection,
    Edits,
    Expansion,
    ForeignPolicy,
    Payload,
    Repeated,
    Scopes,
    Suffixes,
)
from traptor.common.config.options import option, required_option
from traptor.common.config.sections.section import LIVE, REFRESH, RESTART, Section


class TraptorSection(Section):
    """The rules to collect, and the output."""

    section = "traptor"
    about = "What is collected, and where it goes."

    api: Api = option(
        "v1.1", RESTART, "API of Twitter/X to collect with; `v2` is the one that X serves today."
    )
    groups: Groups = option(
        "*",
        LIVE,
        "Groups of rules that this host serves: `track:0` is one group, `follow:*` all groups of a type, `*` "
        "all groups. A group that is named exists even while it has no rules.",
    )
    output: Output = required_option(
        "jsonl:output",
        REFRESH,
        "Where tweets go: `kafka` sends to the topic of [kafka]; `jsonl:DIR` appends to "
        "`DIR/<connection>.jsonl`, one JSON object per line; `jsonl:-` writes to stdout.",
    )
    other_messages: OtherMessages = option(
        "topic",
        REFRESH,
        "Where messages that are not tweets go (delete, withheld, limit, ...): `topic`, beside the tweets; "
        "`drop`, nowhere; a NAME, to the topic of that name or to `DIR/<connection>.NAME.jsonl`. They are "
        "counted in any case.",
    )
    extras: YesNo = option(
        "yes",
        REFRESH,
        "Whether delivered tweets have the members `collection` and `inferred`, which the original Traptor "
        "did not add; `no` is for readers with a strict schema.",
    )
    collection: Collection = option(
        "default",
        RESTART,
        "v2: Name of this collection in the tags of its filters at X; a filter with another tag is foreign. "
        "Supervisors that share an app need different names.",
    )
    rate_limit: RateLimits = option(
        "",
        REFRESH,
        "Matches of a rule that are delivered, a line for each group: `track:* 2 600` is 2 a second in the "
        "long run and 600 at once (by default as many as in a minute), for each rule by itself. A rule's "
        "fields `rate` and `capacity` are for it alone; `rate` `none` frees it. Matches beyond are counted "
        "and not delivered. v2: Posts that fill a gap are delivered whatever the rate, and use none of it.",
    )
    follow_scope: Scopes = option(
        "full",
        LIVE,
        "v2: Posts wanted of a followed account: `author`, those by the account; `replies`, also replies to "
        "it; `full`, also reposts of its posts by others, as v1.1 delivered. A line such as "
        "`follow:3 author` is for one group, `follow:* author` for all; a rule's field `scope` is for it "
        "alone.",
    )
    suffix: Suffixes = option(
        "",
        LIVE,
        "v2: Operators of X that the filters of a group end with, a line for each group: "
        "`track:* lang:en -is:retweet`. Alternatives stand in parentheses: `(lang:en OR lang:de)`.",
    )
    expand: Expansion = option(
        "none",
        REFRESH,
        "v2: Objects that come along with a post, each of which X bills like a delivered one: `posts`, the "
        "post that it reposts, quotes or replies to; `users`, its author; `all`, both, media, places and "
        "the other posts' authors.",
    )
    payload: Payload = option(
        "native",
        REFRESH,
        "v2: Form of delivered posts: `native`, as X sends them; `v1.1`, rebuilt as tweets of v1.1, for "
        "readers that were made for these. It needs `expand` to be set too, which decides what such a tweet "
        "lacks and what it costs.",
    )
    output_trial: OptionalTopic = option(
        "",
        REFRESH,
        "v2: Name of a second topic, or with `jsonl:DIR` of a second file `DIR/<connection>.NAME.jsonl`, "
        "that gets every post in the form that `payload` does not name, to compare the two. It has an "
        "outbox of its own; its trouble is reported and never holds the output up. Empty: no trial.",
    )
    repeated: Repeated = option(
        "mark",
        REFRESH,
        "v2: What happens to a post that comes again within an hour, if it is among the last 500,000 of its "
        "app: `mark`, it is delivered with `repeated` in its member `traptor`; `drop`, it is counted only.",
    )
    edits: Edits = option(
        "all",
        REFRESH,
        "v2: What a topic that Kafka compacts keeps of a post that its author edits. Every version is "
        "delivered as a post with an id of its own; `all`: under that id as key; `last`: under the id of the "
        "first version, so that only the last one stays.",
    )
    foreign_filters: ForeignPolicy = option(
        "refuse",
        LIVE,
        "v2: What happens when the app has filters that are not of this collection: `refuse`, no connection "
        "opens; `leave`, they stay, and their posts are delivered and billed; `adopt`, those that this "
        "program could have written become its own; `remove`, they are deleted.",
    )
