"""The surroundings of the supervisors: a local Twitter, Redis with rules, Kafka with topics, keys, an ini."""

from __future__ import annotations

from contextlib import ExitStack

from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import jars
from trial.accounts import make_accounts, write_ini
from trial.folder import TrialFolder
from trial.interrupt import out_of_reach
from trial.rulebook import Rulebook
from trial.servers import Servers

from chaos_parts.keyring import Keyring

TOPIC = "traptor"
DEAD_LETTERS = f"{TOPIC}.dlq"
STALL_TIMEOUT_S = 5
MAX_CONNECTIONS = 1  # of each key
_KEYS = 9  # five for the connections, the rest as spares
_KEY_FILE = "keys.yml"
_CA_FILE = "ca.pem"
_SANDBOX_OPTIONS: tuple[str, ...] = (
    "--connects",
    "0",
    "--keep-alive",
    "1",
    "--max-connections",
    str(MAX_CONNECTIONS),
)
_SANDBOX_OPTIONS += ("--framing", "any", "--chunking", "any")
# Short waits, so that each kind of trouble occurs many times; budgets that never run out.
_OPTIONS: dict[str, dict[str, str]] = {
    "traptor": {"output": "kafka"},
    "supervisor": {
        "refresh_min_interval": "2s",
        "restart_backoff_max": "5s",
        "rules_check_interval": "10s",
        "health_interval": "2s",
        "hang_timeout": "10s",
    },
    "twitter": {
        "connects": "100000",
        "connect_rate": "20",
        "stall_timeout": f"{STALL_TIMEOUT_S}s",
        "http_backoff": "500ms",
        "http_backoff_max": "4s",
        "rate_limit_backoff": "1s",
        "rate_limit_backoff_max": "4s",
        "quarantine": "5s",
        "quarantine_max": "10s",
    },
    "keys": {"file": _KEY_FILE},
}


class Stage:
    """A context manager that starts all of it, writes the ini, and ends all of it."""

    def __init__(self, folder: TrialFolder, rate: float, seed: int, most_tweets: int) -> None:
        """Prepare the stage; `most_tweets` is how many the sandbox must remember."""
        self._folder = folder
        self._seed = seed
        self._accounts = make_accounts(_KEYS)
        timeline = ("--rate", str(rate), "--seed", str(seed), "--keep", str(most_tweets))
        tls = ("--tls", str(folder.path / _CA_FILE))
        self.servers = Servers(folder, self._accounts, *timeline, *tls, *_SANDBOX_OPTIONS)
        self.kafka = KafkaProcess(folder.kafka / "broker")  # and beside it those that it replaces

    def __enter__(self) -> Stage:
        jars()  # before anything is started: fetching them takes time
        with ExitStack() as started:
            started.enter_context(self.servers)
            started.callback(self.kafka.kill)
            with out_of_reach():
                self.kafka.launch()
            self._prepare()
            started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.kafka.kill()
        self.servers.__exit__()

    def _prepare(self) -> None:
        self.rules = Rulebook(self.servers, self._seed)
        self.rules.load()
        self.keyring = Keyring(self._accounts, self._folder.path / _KEY_FILE, self.servers)
        self.keyring.write()
        kafka = {"bootstrap_servers": self.kafka.bootstrap_servers, "topic": TOPIC}
        twitter = {"stream_url": self.servers.stream_url}
        if self._seed % 2:  # every other seed uses TLS
            twitter = {"stream_url": self.servers.tls_stream_url, "stream_ca_file": _CA_FILE}
        options = {**_OPTIONS, "kafka": kafka, "twitter": {**_OPTIONS["twitter"], **twitter}}
        write_ini(self._folder, self.servers.redis_url, options=options)
        self.kafka.wait_until_up()
        self.kafka.ensure_topics([TOPIC, DEAD_LETTERS])
