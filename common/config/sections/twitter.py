"""The stream of Twitter/X, its limits, and the waits between attempts."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import CaFile, Count, Duration, Proxy, Rate, ServerUrl
from traptor.common.config.kinds.v2 import (
    Connects,
    ConnectsWindow,
    DollarCap,
    Dollars,
    FillGaps,
    PostCap,
    StallTimeout,
)
from traptor.common.config.options import option
from traptor.common.config.sections.section import LIVE, REFRESH, Section
from traptor.common.rules.rule import Limits

STREAM_URL = "https://stream.twitter.com"
API_URL = "https://api.x.com"
_LIMITS = Limits()


class TwitterSection(Section):
    """Twitter/X: the stream, its limits, and the waits between attempts."""

    section = "twitter"
    about = "Twitter/X: the stream, its limits, and the waits between tries."
    rising = (
        ("network_backoff", "network_backoff_max"),
        ("http_backoff", "http_backoff_max"),
        ("rate_limit_backoff", "rate_limit_backoff_max"),
        ("quarantine", "quarantine_max"),
    )

    stream_url: ServerUrl = option(STREAM_URL, REFRESH, "v1.1: Server of the stream.")
    api_url: ServerUrl = option(
        API_URL,
        REFRESH,
        "Server of API v2: of the stream with `api = v2`, and of what `traptorctl rules` asks X.",
    )
    stream_ca_file: CaFile = option(
        "",
        REFRESH,
        "Certificates (PEM) of the authorities to trust for the server, in place of the public ones.",
    )
    proxy: Proxy = option(
        "none",
        REFRESH,
        "Proxy for keys that have none of their own; `environment`: HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
    )
    connect_timeout: Duration = option(
        "10s",
        REFRESH,
        "Maximum time for a whole connect: connection, proxy, TLS, and the answer's status and headers.",
    )
    stall_timeout: StallTimeout = option(
        "auto",
        REFRESH,
        "How long a stream may be silent before it is reopened; a healthy one sends something every 30 s "
        "(v1.1) or 20 s (v2). `auto`: 90s with v1.1, 30s with v2.",
    )
    follow_limit: Count = option(str(_LIMITS.follow), LIVE, "v1.1: How many users one connection may follow.")
    track_limit: Count = option(str(_LIMITS.track), LIVE, "v1.1: How many phrases one connection may track.")
    locations_limit: Count = option(
        str(_LIMITS.locations), LIVE, "v1.1: How many boxes one connection may have."
    )
    rules_per_app: Count = option(
        "1000",
        LIVE,
        "v2: How many filters an app may have. One in twenty of them, at least 10, stays free for changes.",
    )
    rule_length: Count = option("1024", LIVE, "v2: How many characters a filter may have.")
    connects: Connects = option(
        "auto",
        LIVE,
        "How many connects a key may make within `connects_window`; a refresh leaves two for recovery. "
        "`auto`: 5 with v1.1, 50 with v2.",
    )
    connects_window: ConnectsWindow = option(
        "auto", LIVE, "Period over which `connects` are counted. `auto`: 300s with v1.1, 900s with v2."
    )
    network_backoff: Duration = option(
        "250ms", LIVE, "How much the wait grows with each network error in a row."
    )
    network_backoff_max: Duration = option("16s", LIVE, "Maximum wait after network errors.")
    http_backoff: Duration = option(
        "5s", LIVE, "Wait after the first HTTP error; doubled at each one in a row."
    )
    http_backoff_max: Duration = option("320s", LIVE, "Maximum wait after HTTP errors.")
    rate_limit_backoff: Duration = option(
        "60s",
        LIVE,
        "Wait after the first 420 or 429; doubled at each one in a row. If the server asks for a longer "
        "wait, that one counts.",
    )
    rate_limit_backoff_max: Duration = option(
        "1h", LIVE, "Maximum wait after 420 and 429 that doubling may reach."
    )
    refused_retry: Duration = option(
        "15m",
        LIVE,
        "Time until a connection whose rules the server refused (404, 406, 413, 416) is tried again; a "
        "change of its rules ends the wait.",
    )
    quarantine: Duration = option(
        "15m",
        LIVE,
        "How long a key that was refused (401, 403) is not used; doubled at each refusal in a row.",
    )
    quarantine_max: Duration = option("24h", LIVE, "Maximum quarantine.")
    connect_rate: Rate = option(
        "2", LIVE, "Maximum number of new connections a second from each source address."
    )
    post_price: Dollars = option("0.005", LIVE, "Dollars that X bills for one post, with API v2.")
    user_price: Dollars = option(
        "0.010", LIVE, "Dollars that X bills for one user that comes along or is looked up, with API v2."
    )
    counts_price: Dollars = option(
        "0.010",
        LIVE,
        "Dollars that X bills for one request of counts, which `traptorctl rules price` makes.",
    )
    daily_posts: PostCap = option(
        "none",
        LIVE,
        "v2: Posts that an app may read in a UTC day, including those that come along; then its connection "
        "is closed until the next day, or until this is raised.",
    )
    daily_dollars: DollarCap = option(
        "none", LIVE, "v2: Dollars that an app may cost in a UTC day, by the prices above; as `daily_posts`."
    )
    monthly_dollars: DollarCap = option(
        "none", LIVE, "v2: Dollars that an app may cost in X's billing month; as `daily_posts`."
    )
    credit_retry: Duration = option(
        "30m", LIVE, "v2: Time until an app whose account has no credit left is tried again."
    )
    fill_gaps: FillGaps = option(
        "no",
        LIVE,
        "v2: How gaps are filled afterwards, at the price of posts: `no`, they stay; `search`, with what X's "
        "full-archive search finds for the rules of that time: words find no reposts; `recovery`, as "
        "Enterprise contracts allow: up to five minutes by the stream that ends the gap, up to 24 hours by "
        "recovery jobs.",
    )
    fill_daily_dollars: DollarCap = option(
        "10",
        LIVE,
        "v2: Dollars that filling the gaps of an app may cost in a UTC day; they count towards the other "
        "caps, too. What is left of a gap is filled on the next day.",
    )
    fill_after: Duration = option(
        "30s",
        LIVE,
        "v2: Time after the end of a gap until it is filled: X finds a post only some seconds after it was "
        "written, and takes no search for the last ten.",
    )
