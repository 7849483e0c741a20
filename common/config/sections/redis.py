"""Redis, which holds the rules."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import Channel, Duration, OptionalPath, RedisUrl, YesNo
from traptor.common.config.kinds.urls import masked_url
from traptor.common.config.options import option
from traptor.common.config.sections.section import REFRESH, RESTART, Section


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
    timeout: Duration = option(
        "5s",
        RESTART,
        "Maximum time for one reply; all replies to what is sent together have four times as long.",
    )
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
