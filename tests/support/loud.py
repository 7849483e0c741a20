"""A supervisor in which every library logs, from DEBUG on; run as `loud.py -c INI`.

Ours keeps them at INFO: tweepy shows the headers of requests, requests_oauthlib what it signs.
"""

from __future__ import annotations

import logging

from traptor.common.logs import master, worker
from traptor.supervisor.cli import main


def let_all_log(_level: str) -> None:
    for name in (None, "traptor", *logging.Logger.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)
    # Our stream overrides whatever of tweepy's logs today.
    logging.getLogger("tweepy.streaming").debug("tweepy is heard")


if __name__ == "__main__":
    master.set_level = worker.set_level = let_all_log
    main()
