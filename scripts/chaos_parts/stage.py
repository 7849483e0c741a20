"""The surroundings of the supervisors: a local Twitter, Redis with rules, an output, keys, an ini."""

from __future__ import annotations

from contextlib import ExitStack

from trial.accounts import make_accounts, write_ini
from trial.folder import TrialFolder
from trial.rulebook import Rulebook
from trial.servers import Servers

from chaos_parts.keyring import Keyring
from chaos_parts.outputs import Output

STALL_TIMEOUT_S = 5
MAX_CONNECTIONS = 1  # of each key
_KEYS = 9  # five for the connections, the rest as spares
_KEY_FILE = "keys.yml"
CA_FILE = "ca.pem"
ANY_FRAMING = ("--framing", "any", "--chunking", "any")  # of a stream each
_SANDBOX_OPTIONS = ("--connects", "0", "--keep-alive", "1", "--max-connections", str(MAX_CONNECTIONS))
# Short waits, so that each kind of trouble occurs many times; budgets that never run out.
_OPTIONS: dict[str, dict[str, str]] = {
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


def address(option: str, servers: Servers, seed: int) -> dict[str, str]:
    """Return what the ini says about where the sandbox is; every other seed uses TLS."""
    if seed % 2:
        return {option: servers.tls_stream_url, "stream_ca_file": CA_FILE}
    return {option: servers.stream_url}


class Stage:
    """A context manager that starts all of it, writes the ini, and ends all of it."""

    def __init__(self, folder: TrialFolder, output: Output, rate: float, seed: int, most_tweets: int) -> None:
        """Prepare the stage; `most_tweets` is how many the sandbox must remember."""
        self._folder = folder
        self._seed = seed
        self._accounts = make_accounts(_KEYS)
        timeline = ("--rate", str(rate), "--seed", str(seed), "--keep", str(most_tweets))
        tls = ("--tls", str(folder.path / CA_FILE))
        self.servers = Servers(folder, self._accounts, *timeline, *tls, *_SANDBOX_OPTIONS, *ANY_FRAMING)
        self._output = output

    def __enter__(self) -> Stage:
        self._output.prepare()  # before anything is started: it takes time
        with ExitStack() as started:
            started.enter_context(self.servers)
            started.callback(self._output.kill)
            self._output.launch()
            self._prepare()
            started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._output.kill()
        self.servers.__exit__()

    def _prepare(self) -> None:
        self.rules = Rulebook(self.servers, self._seed)
        self.rules.load()
        self.keyring = Keyring(self._accounts, self._folder.path / _KEY_FILE, self.servers)
        self.keyring.write()
        twitter = address("stream_url", self.servers, self._seed)
        options = {**_OPTIONS, **self._output.options(), "twitter": {**_OPTIONS["twitter"], **twitter}}
        write_ini(self._folder, self.servers.redis_url, options=options)
        self._output.wait_until_up()
