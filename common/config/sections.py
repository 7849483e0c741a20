"""The sections of traptor.ini and all their options: the one place where an option is declared.

Each line is the option's name, its kind, its default as written in the ini, what a reload does with a change,
and its meaning. Checks, the sample ini and docs/configuration.md follow from here. Durations are seconds
(float), sizes bytes (int).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from traptor.common.config.kinds.kinds import (
    AtLeast,
    Brokers,
    CaFile,
    Channel,
    Count,
    Durability,
    Duration,
    FolderPath,
    Groups,
    Handover,
    HostNames,
    Level,
    Listen,
    LogFolder,
    LogFormat,
    OptionalPath,
    OptionalTopic,
    OtherMessages,
    Output,
    Proxy,
    Rate,
    RedisUrl,
    SentryDsn,
    ServerUrl,
    Size,
    Token,
    Topic,
    YesNo,
)
from traptor.common.config.kinds.ratelimits import RateLimits
from traptor.common.config.kinds.tokens import NamedTokens
from traptor.common.config.kinds.urls import masked_url
from traptor.common.config.kinds.v2 import (
    Api,
    Collection,
    Connects,
    ConnectsWindow,
    DollarCap,
    Dollars,
    Edits,
    Expansion,
    FillGaps,
    ForeignPolicy,
    Payload,
    PostCap,
    Repeated,
    Scopes,
    StallTimeout,
    Suffixes,
)
from traptor.common.config.librdkafka import REFUSED
from traptor.common.config.options import OnReload, Option, option, required_option
from traptor.common.rules.rule import Limits

LIVE, REFRESH, RESTART = OnReload
_LIMITS = Limits()

STREAM_URL = "https://stream.twitter.com"
API_URL = "https://api.x.com"


class Section(BaseModel):
    """The common part of all sections."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    section: ClassVar[str]
    about: ClassVar[str]
    passes_on: ClassVar[bool] = False  # allows names with a dot, for a library
    refused: ClassVar[dict[str, str]] = {}  # of these names, with what to do instead
    rising: ClassVar[tuple[tuple[str, str], ...]] = ()  # pairs of options: the second is not less

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """Return the section's rows of the option table."""
        fields = cls.model_fields.items()
        return tuple(Option.of_field(cls.section, key, field) for key, field in fields)

    @classmethod
    def is_passed_on(cls, key: str) -> bool:
        """Tell whether a name is passed to a library unchanged."""
        return cls.passes_on and "." in key and key not in cls.refused


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
        "`track:* lang:en -is:retweet`.",
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


class SupervisorSection(Section):
    """The supervisor and its workers."""

    section = "supervisor"
    about = "The supervisor and its workers. Relative folders are relative to this file's folder."
    rising = (("restart_backoff", "restart_backoff_max"),)

    run_dir: FolderPath = option(
        "run", RESTART, "Folder for what may be lost in a reboot: locks, the list of workers, status."
    )
    state_dir: FolderPath = option(
        "state",
        RESTART,
        "Folder for what must survive a reboot: key states and budgets, generation numbers, outboxes, the "
        "gap ledger.",
    )
    log_dir: LogFolder = option(
        "logs",
        RESTART,
        "Folder for `supervisor.log` and one `<connection>.log` per connection; `-` logs to stdout instead.",
    )
    rules_check_interval: Duration = option(
        "60s", LIVE, "How often all rules are read again, even without a hint."
    )
    refresh_min_interval: Duration = option(
        "10s",
        LIVE,
        "Minimum time between the starts of two refreshes of a connection; the first one starts at once.",
    )
    heartbeat_interval: Annotated[Duration, AfterValidator(AtLeast(0.1, "100ms"))] = option(
        "5s",
        LIVE,
        "How often each served group's heartbeat is written to Redis; it expires after 1.5 times as long.",
    )
    heartbeat_empty: Duration = option(
        "1h",
        LIVE,
        "How long a group that lost its last rule keeps its heartbeat; a group that is named in [traptor] "
        "groups always has one.",
    )
    honour_status: YesNo = option(
        "yes", LIVE, "Whether rules whose `status` is not active are left out of the stream."
    )
    handover: Handover = option(
        "slot, spare, overlap, serial",
        LIVE,
        "The ways in which a new worker may get its stream, tried in this order: `slot`, a free slot of the "
        "same key; `spare`, a spare key; `overlap`, a second connection with the same key, upon which "
        "the server closes the older one; `serial`, closing the old stream first, which leaves a gap. If "
        "no way is open, the old worker streams on and the refresh waits.",
    )
    hang_timeout: Annotated[Duration, AfterValidator(AtLeast(2, "2s"))] = option(
        "30s",
        LIVE,
        "How long a worker may send no report before it is replaced; it normally sends one a second.",
    )
    health_interval: Annotated[Duration, AfterValidator(AtLeast(0.1, "100ms"))] = option(
        "5s",
        LIVE,
        "How often the memory, CPU, descriptors and state of each worker process are checked; a worker that "
        "is found stopped twice in a row is replaced.",
    )
    max_memory: Size = option(
        "0", LIVE, "Anonymous memory that a worker may use before it is replaced; 0: no limit."
    )
    overlap_timeout: Duration = option(
        "10s",
        LIVE,
        "How long the old stream may continue once the new one streams, before the supervisor closes it.",
    )
    drain_timeout: Annotated[Duration, AfterValidator(AtLeast(1, "1s"))] = option(
        "30s", LIVE, "Time limit of a stop: how long workers may take to deliver what they hold and exit."
    )
    outbox_max_bytes: Annotated[Size, AfterValidator(AtLeast(1 << 20, "1M"))] = option(
        "1G",
        REFRESH,
        "How much undelivered data is kept for each connection. When the limit is reached, the connection's "
        "stream is closed until there is room again. On disk it may take up to three times as much.",
    )
    outbox_durability: Durability = option(
        "process",
        REFRESH,
        "What undelivered messages survive: with `process`, a sudden end of workers and supervisor; with "
        "`host`, a crash of the host too: they are synced to disk at least every 100 ms.",
    )
    confirm_timeout: Annotated[Duration, AfterValidator(AtLeast(1, "1s"))] = option(
        "60s",
        REFRESH,
        "How long an output may confirm none of the oldest messages that wait for it. After that the log and "
        "the status say so, and if Kafka answers, a new producer takes over.",
    )
    start_parallel: Count = option("4", LIVE, "How many workers may be starting at once.")
    restart_backoff: Duration = option(
        "1s",
        LIVE,
        "Wait before a worker that crashed again is restarted; doubled at each crash. The first restart is "
        "immediate.",
    )
    restart_backoff_max: Duration = option("60s", LIVE, "Maximum wait before a restart.")
    restart_reset_after: Duration = option(
        "60s", LIVE, "How long a worker must run before its connection's crashes are forgotten."
    )
    ledger_keep: Annotated[Duration, AfterValidator(AtLeast(60, "1m"))] = option(
        "90d",
        LIVE,
        "How long the gap ledger keeps intervals that ended, in `state_dir/ledger.db` and in Redis.",
    )


class RedisSection(Section):
    """Redis, which holds the rules."""

    section = "redis"
    about = "Redis, where the rules are."

    url: RedisUrl = option(
        "redis://127.0.0.1:6379/0",
        RESTART,
        "Server and database, with the password if there is one.",
        secret=True,
    )
    channel: Channel = option(
        "traptor-notify",
        RESTART,
        "Pubsub channel on which `type:id` is published when the rules of a group changed. Redis publishes"
        " to all of its databases: deployments that share a server need a channel each.",
    )
    timeout: Duration = option("5s", RESTART, "Maximum time for one reply.")
    ca_file: OptionalPath = option(
        "",
        RESTART,
        "Certificates (PEM) to trust for a server at `rediss://`, in addition to those of the system. "
        "A relative path is relative to this file's folder.",
    )
    stats: YesNo = option("yes", REFRESH, "Whether workers count matches and limits in Redis.")

    @property
    def masked_url(self) -> str:
        """The URL for display: without its password."""
        return masked_url(self.url)


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


class KafkaSection(Section):
    """Kafka, where tweets go with `output = kafka`."""

    model_config = ConfigDict(extra="allow")  # names with a dot; the reader of sections refuses others

    section = "kafka"
    about = (
        "Kafka, where tweets go with output = kafka. Names with a dot go to librdkafka as they are\n"
        "(security.protocol = SASL_SSL, sasl.username, sasl.password, compression.type, ...)."
    )
    passes_on = True
    refused = REFUSED

    bootstrap_servers: Brokers = option(
        "",
        REFRESH,
        "Some brokers of the cluster, from which the others are found; must be set if output is kafka.",
    )
    topic: Topic = option("traptor", REFRESH, "Topic that tweets go to.")
    create_topic: YesNo = option(
        "no",
        REFRESH,
        "Whether a missing topic is created, with the brokers' default numbers of partitions and replicas. "
        "With `no`, nothing starts until the topic exists.",
    )

    @property
    def library(self) -> tuple[tuple[str, str], ...]:
        """The options passed to librdkafka unchanged, by name."""
        return tuple(sorted((self.model_extra or {}).items()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values among them that must not appear in logs."""
        return tuple(v for key, v in self.library if Option.of_library(self.section, key).is_secret)

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        yield from ((key, getattr(self, key)) for key in type(self).model_fields)


class HttpSection(Section):
    """The API over TCP."""

    section = "http"
    about = (
        "The API over TCP, beside the control socket in run_dir. It only reads, unless a request brings\n"
        "the token."
    )

    listen: Listen = option(
        "",
        RESTART,
        "Address to serve HTTP on; a port alone is one of 127.0.0.1. Whoever reaches it can read the status, "
        "but no tweets. Empty: only the control socket answers.",
    )
    token: Token = option(
        "",
        LIVE,
        "Secret that allows a request over TCP to change something, or to read tweets: "
        "`Authorization: Bearer TOKEN`. Empty: none may.",
        secret=True,
    )
    tokens: NamedTokens = option(
        "",
        LIVE,
        "More such secrets, each with a name, by which the history of rules names who changed them: "
        "`alice:TOKEN, nightly-load:TOKEN`.",
        secret=True,
    )
    hosts: HostNames = option(
        "",
        LIVE,
        "Names under which browsers and programs reach it, besides the address itself and localhost: those "
        "of a proxy in front of it. Requests under another name are refused.",
    )

    @property
    def names_by_token(self) -> dict[str, str]:
        """The name of each token; that of `token` itself is its option's."""
        unnamed = {self.token: "[http] token"} if self.token else {}
        return unnamed | {token: f"token {name}" for name, token in self.tokens}

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on, or None."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if self.listen else None


class LoggingSection(Section):
    """The format and the place of the logs."""

    section = "logging"
    about = "How the logs are written; where to is [supervisor] log_dir."

    level: Level = option("INFO", REFRESH, "Lowest level that is logged.")
    format: LogFormat = option("text", REFRESH, "`text`: lines for people; `json`: a JSON object per line.")
    rotate_size: Size = option(
        "0",
        LIVE,
        "Size at which a log file is renamed to `<name>.log.1` and so on; 0 leaves rotation to another "
        "program (logrotate).",
    )
    rotate_keep: Count = option("5", LIVE, "How many renamed files are kept of each log.")
    sentry_dsn: SentryDsn = option(
        "",
        RESTART,
        "DSN of a Sentry project that receives what is logged at ERROR and above, with secrets masked. It "
        "needs `pip install 'traptor-supervisor[sentry]'`. Empty: nothing is sent.",
        secret=True,
    )


class KeysSection(Section):
    """The place of more keys."""

    section = "keys"
    about = "A YAML file with keys, beside or instead of [key:NAME] sections; both are one pool."

    file: OptionalPath = option(
        "", LIVE, "The file; its list `apikeys` is read. A relative path is relative to this file's folder."
    )


SECTIONS: tuple[type[Section], ...] = (
    TraptorSection,
    SupervisorSection,
    RedisSection,
    TwitterSection,
    KafkaSection,
    HttpSection,
    LoggingSection,
    KeysSection,
)

OPTIONS: tuple[Option, ...] = tuple(row for section in SECTIONS for row in section.options())
