"""How logs are written."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import Count, Level, LogFormat, SentryDsn, Size
from traptor.common.config.options import option
from traptor.common.config.sections.section import LIVE, REFRESH, RESTART, Section


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
