"""How workers run, and where state is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from traptor.common.config.kinds.kinds import (
    AtLeast,
    Count,
    Durability,
    Duration,
    FolderPath,
    Handover,
    LogFolder,
    Size,
    YesNo,
)
from traptor.common.config.options import option
from traptor.common.config.sections.section import LIVE, REFRESH, RESTART, Section


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
        "the status say so, and if Kafka answers, a new producer takes over. Must be below "
        "`message.timeout.ms` in [kafka], if that is set and not 0.",
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
