"""The ini becomes settings; whatever is wrong in it is told, all at once, with its place and what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from support.leftovers import Leftovers

from traptor.common.config.settings import load_settings
from traptor.common.errors import ConfigError
from traptor.supervisor.workers.settings import worker_settings

if TYPE_CHECKING:
    from support.configuration import Configuration


class TestValues:
    def test_what_is_not_set_has_its_default(self, config: Configuration) -> None:
        settings = config.load()
        assert settings.supervisor.hang_timeout == 30.0
        assert settings.twitter.network_backoff == 0.25
        assert settings.twitter.track_limit == 400
        assert settings.twitter.connect_rate == 2.0
        assert settings.redis.url == "redis://127.0.0.1:6379/0"
        assert settings.supervisor.handover == ("slot", "spare", "overlap", "serial")
        assert settings.supervisor.honour_status is True
        assert settings.logging.rotate_size == 0
        assert settings.key_file is None

    def test_what_is_set_counts_instead(self, config: Configuration) -> None:
        settings = config.load(config.option("logging", "LEVEL = debug\nrotate_size = 64M\nformat = json"))
        assert (settings.logging.level, settings.logging.rotate_size) == ("DEBUG", 64 << 20)
        assert settings.logging.format == "json"

    def test_paths_are_relative_to_the_inis_folder_wherever_we_are(
        self, config: Configuration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config.load()
        (config.folder / "elsewhere").mkdir()
        monkeypatch.chdir(config.folder / "elsewhere")
        settings = load_settings(Path("../traptor.ini"), {})
        assert settings.path == config.ini
        assert settings.supervisor.run_dir == config.folder / "run"
        assert settings.supervisor.log_dir == config.folder / "logs"
        assert settings.traptor.output == f"jsonl:{config.folder}/out"

    def test_a_full_path_stays_as_it_is(self, config: Configuration) -> None:
        settings = config.load(
            "[traptor]\noutput = jsonl:/data/out\n[supervisor]\nstate_dir = /var/lib/traptor\n"
        )
        assert settings.traptor.output == "jsonl:/data/out"
        assert settings.supervisor.state_dir == Path("/var/lib/traptor")

    def test_a_dash_means_stdout(self, config: Configuration) -> None:
        settings = config.load("[traptor]\noutput = jsonl:-\n[supervisor]\nlog_dir = -\n")
        assert settings.traptor.output == "jsonl:-"
        assert settings.supervisor.log_dir is None

    def test_lists_may_go_over_several_lines(self, config: Configuration) -> None:
        settings = config.load(
            config.option("traptor", "groups = track:0,\n  follow:*\n  location:3\n")
            + "[supervisor]\nhandover =\n  serial\n  slot\n"
        )
        assert str(settings.traptor.groups) == "follow:*, locations:3, track:0"
        assert settings.supervisor.handover == ("slot", "serial")

    def test_variables_and_files_stand_for_their_texts(self, config: Configuration) -> None:
        config.write("password", "p%40ss\n")
        text = config.option("redis", "url = redis://:${file:password}@${HOST}/1\nchannel = $${x}")
        settings = config.load(text, HOST="redis.example")
        assert settings.redis.url == "redis://:p%40ss@redis.example/1"
        assert settings.redis.masked_url == "redis://:***@redis.example/1"
        assert settings.redis.channel == "${x}"

    def test_the_environment_of_the_process_is_the_default(
        self, config: Configuration, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRAPTOR_TEST_CHANNEL", "from-the-process")
        config.write("traptor.ini", config.option("redis", "channel = ${TRAPTOR_TEST_CHANNEL}"))
        assert load_settings(config.ini).redis.channel == "from-the-process"

    def test_every_file_that_was_read_is_watched(self, config: Configuration) -> None:
        config.write("channel", "c")
        config.write("keys.yml", "apikeys: []")
        settings = config.load(config.option("keys", "file = keys.yml\n[redis]\nchannel = ${file:channel}"))
        assert set(settings.watched) == {
            config.folder / name for name in ("traptor.ini", "keys.yml", "channel")
        }
        assert settings.key_file == config.folder / "keys.yml"

    def test_a_link_is_watched_as_a_link(self, config: Configuration) -> None:
        config.write("real.ini", config.minimal)
        (config.folder / "link.ini").symlink_to("real.ini")
        assert load_settings(config.folder / "link.ini", {}).watched == (config.folder / "link.ini",)

    def test_settings_cannot_be_changed(self, config: Configuration) -> None:
        settings = config.load()
        with pytest.raises(dataclasses.FrozenInstanceError):
            settings.path = Path("/")  # type: ignore[misc]
        with pytest.raises(ValueError, match="frozen"):
            settings.redis.channel = "x"


class TestProblems:
    @pytest.mark.parametrize(
        ("section", "line", "problem"),
        [
            ("traptor", "api = 1.1", "must be v1.1 or v2 (found '1.1')"),
            ("traptor", "groups = track:0, tracks:1", "item 2 names no group"),
            ("traptor", "groups =", "names nothing (found nothing; to use the default, remove the line)"),
            ("traptor", "other_messages = a b", "must be topic, drop, or a name"),
            ("traptor", "other_messages = ../up", "must be topic, drop, or a name"),
            ("supervisor", "hang_timeout = 30", "not a duration; write a number and its unit"),
            ("supervisor", "hang_timeout = 1s", "must be at least 2s"),
            ("supervisor", "hang_timeout = 0s", "must be longer than 0s"),
            ("supervisor", "heartbeat_interval = 1ms", "must be at least 100ms"),
            ("supervisor", "refresh_min_interval = 0s", "must be longer than 0s"),
            ("supervisor", "handover = slot, sparse", "may only name slot, spare, overlap, serial"),
            ("supervisor", "handover =", "names nothing"),
            ("supervisor", "honour_status = maybe", "write yes or no"),
            ("supervisor", "start_parallel = 0", "must be at least 1"),
            ("supervisor", "run_dir =", "must be a path"),
            ("supervisor", "restart_backoff_max = 500ms", "must not be less than restart_backoff"),
            ("supervisor", "restart_backoff = 2m", "must not be more than restart_backoff_max, which is 60s"),
            ("redis", "url = localhost", "must begin with redis://, rediss:// or unix://"),
            ("redis", "channel = a b", "must be the name of a channel"),
            ("twitter", "track_limit = 0", "must be at least 1"),
            ("twitter", "connects = 2.5", "not a whole number"),
            ("twitter", "connect_rate = 0", "must be more than 0"),
            ("twitter", "stream_url = https://stream.twitter.com/1.1", "must be the scheme, the host"),
            ("twitter", "quarantine_max = 1m", "must not be less than quarantine"),
            ("twitter", "network_backoff_max = 1ms", "must not be less than network_backoff"),
            ("http", "tokens = alice", "item 1 must be NAME:TOKEN"),
            ("http", "tokens = a b:0123456789abcdef", "item 1 must be NAME:TOKEN"),
            ("http", "tokens = a:0123456789abcdef, b:short", "the token of item 2 must have at least 16"),
            ("http", "tokens = a:0123456789abcdef, a:0123456789abcdeF", "gives one name twice"),
            ("http", "tokens = a:0123456789abcdef, b:0123456789abcdef", "gives one token twice"),
            ("logging", "level = LOUD", "must be DEBUG, INFO, WARNING or ERROR (found 'LOUD')"),
            ("logging", "format = xml", "must be text or json"),
            ("logging", "rotate_size = 64MB", "not a size"),
            ("logging", "level = INFO # or DEBUG", "a comment needs a line of its own"),
            ("logging", "level = INFO\n  DEBUG", "spans several lines"),
        ],
    )
    def test_a_wrong_value_is_told_with_its_place_and_what_may_stand_there(
        self, config: Configuration, section: str, line: str, problem: str
    ) -> None:
        text = config.option(section, line)
        number = text.split("\n").index(line.split("\n")[0]) + 1
        told = config.problem(text)
        assert told.startswith(f"traptor.ini:{number} [{section}] {line.split(' ')[0]}: ")
        assert problem in told

    @pytest.mark.parametrize(
        ("output", "problem"),
        [
            ("kafka:topic", "must be kafka (with its topic in [kafka]), jsonl:DIR"),
            ("jsonl", "must be kafka"),
            ("jsonl:", "must be kafka"),
            ("stdout", "must be kafka"),
            ("", "must be kafka"),
        ],
    )
    def test_an_output_that_is_none_is_told(self, config: Configuration, output: str, problem: str) -> None:
        assert problem in config.problem(f"[traptor]\noutput = {output}\n")

    def test_the_output_must_be_set(self, config: Configuration) -> None:
        assert (
            config.problem("") == "traptor.ini [traptor] output: must be set, such as `output = jsonl:output`"
        )
        assert config.problem("\n[traptor]\n").startswith("traptor.ini:2 [traptor] output: must be set")

    def test_other_messages_cannot_have_a_file_beside_stdout(self, config: Configuration) -> None:
        told = config.problem("[traptor]\noutput = jsonl:-\nother_messages = rest\n")
        assert told == "traptor.ini:3 [traptor] other_messages: must be topic or drop where output is jsonl:-"
        assert config.load("[traptor]\noutput = jsonl:-\nother_messages = drop\n").traptor.output == "jsonl:-"

    @pytest.mark.parametrize(
        ("section", "line", "hint"),
        [
            ("supervisor", "refresh_interval_min = 1s", "no such option; did you mean refresh_min_interval?"),
            ("supervisor", "stall_timeout = 1s", "no such option; it belongs in [twitter]"),
            ("redis", "zzz = 1", "no such option"),
            (
                "redis",
                "REDIS_HOST = redis",
                "no such option; REDIS_HOST of the original Traptor is now [redis] url = redis://HOST:PORT/DB",
            ),
            (
                "traptor",
                "pubsub_check_interval = 1",
                "no such option; PUBSUB_CHECK_INTERVAL of the original Traptor is not needed: messages arrive"
                " at once",
            ),
            (
                "kafka",
                "Kafka_Hosts = a:1",
                "no such option; KAFKA_HOSTS of the original Traptor is now [kafka] bootstrap_servers",
            ),
            ("redis", "log_dir = x", "no such option; it belongs in [supervisor]"),
        ],
    )
    def test_an_unknown_option_is_told_with_what_may_be_meant(
        self, config: Configuration, section: str, line: str, hint: str
    ) -> None:
        assert config.problem(config.option(section, line)).endswith(
            f"[{section}] {line.split(' ')[0].lower()}: {hint}"
        )

    def test_an_environment_of_the_original_is_told_where_it_goes(self, config: Configuration) -> None:
        told = config.problems("REDIS_HOST=redis\nsecret=x\n" + config.minimal)
        assert told == [
            "traptor.ini:1: stands before the first section; REDIS_HOST of the original Traptor is now"
            " [redis] url = redis://HOST:PORT/DB",
            "traptor.ini:2: stands before the first section; begin with a line such as [traptor]",
        ]

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("supervisr", "; did you mean supervisor?"),
            ("Redis", "; did you mean redis?"),
            ("zzz", ""),
            ("DEFAULT", ""),
        ],
    )
    def test_an_unknown_section_is_told_with_what_may_be_meant(
        self, config: Configuration, name: str, hint: str
    ) -> None:
        assert (
            config.problem(f"{config.minimal}[{name}]\nx = 1\n")
            == f"traptor.ini:3 [{name}]: no such section{hint}"
        )

    def test_every_problem_of_all_files_is_told_at_once_in_the_order_of_the_lines(
        self, config: Configuration
    ) -> None:
        config.write("keys.yml", "apikeys:\n- consumer_key: a\n- nonsense\n")
        problems = config.problems(
            "[key:a]\nconsumer_key =\n[supervisor]\nhang_timeout = 3\nrestart_backoff = 2m\nnonsense\n"
            "[twitter]\nquarantine = ${NOPE}\nquarantine_max = 1s\n[keys]\nfile = keys.yml\n[nosuch]\n"
        )
        assert [problem.split(": ")[0] for problem in problems] == [
            "traptor.ini [traptor] output",
            "traptor.ini:1 [key:a]",
            "traptor.ini:2 [key:a] consumer_key",
            "traptor.ini:4 [supervisor] hang_timeout",
            "traptor.ini:5 [supervisor] restart_backoff",
            "traptor.ini:6",
            "traptor.ini:8 [twitter] quarantine",
            "traptor.ini:12 [nosuch]",
            "keys.yml:2 apikeys[1]",
            "keys.yml:3 apikeys[2]",
        ]

    def test_an_ini_that_is_not_there_is_told(self, config: Configuration) -> None:
        with pytest.raises(ConfigError, match=r"nowhere\.ini: cannot be read: No such file or directory"):
            load_settings(config.folder / "nowhere.ini", {})

    def test_an_ini_that_is_no_utf_8_is_told_with_the_line(self, config: Configuration) -> None:
        told = config.problem(b"[traptor]\noutput = jsonl:\xff\n")
        assert told == "traptor.ini:2: is not UTF-8 text here; save it as UTF-8"

    def test_a_key_file_that_is_not_there_is_told(self, config: Configuration) -> None:
        told = config.problem(config.option("keys", "file = keys.yml"))
        assert told == "keys.yml ([keys] file): cannot be read: No such file or directory"

    @pytest.mark.parametrize("written", ["${LEVEL}", "${file:secret}"])
    def test_a_key_file_named_by_what_may_be_a_secret_is_not_named(
        self, config: Configuration, written: str
    ) -> None:
        (config.folder / "secret").write_text("s3cret\n")
        (config.folder / "secret").chmod(0o600)
        ini = config.option("keys", f"file = {written}")
        told = config.problem(ini, LEVEL="s3cret")
        assert told == "traptor.ini [keys] file: cannot be read: No such file or directory"

    def test_a_value_from_a_variable_is_not_repeated(self, config: Configuration) -> None:
        told = config.problem(config.option("logging", "level = ${LEVEL}"), LEVEL="s3cret")
        assert told.endswith("must be DEBUG, INFO, WARNING or ERROR")

    @pytest.mark.parametrize(
        "line", ["level = s3cretS3CRET", "level = INFO s3cretS3CRET", "s3cretS3CRET = 1"]
    )
    def test_what_is_as_long_as_a_secret_is_not_repeated(self, config: Configuration, line: str) -> None:
        told = config.problem(config.option("logging", line))
        assert told.startswith("traptor.ini:")
        assert "s3cret" not in told.lower()

    def test_a_comment_behind_a_value_is_told_however_long_it_is(self, config: Configuration) -> None:
        told = config.problem(config.option("logging", "level = INFO  # as long as nobody asks for more"))
        assert told.endswith("ERROR (a comment needs a line of its own)")

    def test_nothing_that_cannot_be_printed_is_repeated(self, config: Configuration) -> None:
        told = config.problem(config.option("logging", "level = \x1b[31mred"))
        assert "(found '?[31mred')" in told


DOUBTS = [
    "is http:// and leads to another host: anyone on the way can read what is collected and the"
    " signed requests; write https:// where the server has it"
]


class TestStream:
    def test_a_ca_of_ones_own_is_a_file_of_certificates(self, config: Configuration) -> None:
        config.write("ca.pem", trustme.CA().cert_pem.bytes())
        settings = config.load(config.option("twitter", "stream_ca_file = ca.pem"))
        assert settings.twitter.stream_ca_file == config.folder / "ca.pem"
        assert worker_settings(settings).stream_ca_file == config.folder / "ca.pem"

    def test_another_file_is_a_problem(self, config: Configuration) -> None:
        config.write("ca.pem", "no certificate")
        text = config.option("twitter", "stream_ca_file = ca.pem")
        assert "must be a file with certificates in PEM form" in config.problem(text)
        text = config.option("twitter", "stream_ca_file = nowhere.pem")
        assert "names a file that cannot be read: No such file" in config.problem(text)

    def test_the_environment_is_asked_for_a_proxy_only_when_the_ini_says_so(
        self, config: Configuration
    ) -> None:
        assert not worker_settings(config.load()).proxy_of_environment
        settings = config.load(config.option("twitter", "proxy = environment"))
        assert worker_settings(settings).proxy_of_environment
        told = config.problem(config.option("twitter", "proxy = http://proxy.example:3128"))
        assert "must be none or environment; a key's proxy is set in the key's own section" in told


class TestWarnings:
    def test_a_whole_configuration_has_none(self, config: Configuration) -> None:
        assert config.warnings() == []

    def test_without_a_key_it_is_loaded_with_a_warning(self, config: Configuration) -> None:
        (warning,) = config.warnings(config.minimal)
        assert warning.startswith("traptor.ini: has no usable key")

    def test_a_stall_timeout_below_the_keep_alives_is_doubtful_with_twitter_only(
        self, config: Configuration
    ) -> None:
        (warning,) = config.warnings(config.option("twitter", "stall_timeout = 20s"))
        assert warning.startswith(
            "traptor.ini:10 [twitter] stall_timeout: would end streams that are merely quiet"
        )
        sandbox = "stall_timeout = 20s\nstream_url = http://127.0.0.1:8080"
        assert config.warnings(config.option("twitter", sandbox)) == []

    @pytest.mark.parametrize(
        ("url", "is_doubtful"),
        [
            ("http://stream.example", True),
            ("http://192.0.2.1:8080", True),
            ("https://stream.example", False),
            ("http://localhost:8080", False),
            ("http://127.8.9.10", False),
            ("http://[::1]:8080", False),
        ],
    )
    def test_a_stream_that_others_can_read_on_the_way_is_doubtful(
        self, config: Configuration, url: str, is_doubtful: bool
    ) -> None:
        warnings = config.warnings(config.option("twitter", f"stream_url = {url}"))
        assert [f"traptor.ini:10 [twitter] stream_url: {text}" for text in DOUBTS] * is_doubtful == warnings

    def test_an_ini_with_secrets_that_others_may_read_is_told(self, config: Configuration) -> None:
        config.write("traptor.ini", config.minimal + config.key, mode=0o644)
        (warning,) = load_settings(config.ini, {}).warnings
        assert warning == f"{config.ini}: holds secrets, and others may open it (mode 0644); chmod 600 it"

    def test_an_ini_without_secrets_may_be_read_by_all(self, config: Configuration) -> None:
        for name in ("ck", "cs", "at", "ats"):
            config.write(name, f"from-{name}")
        keys = "".join(
            f"{member} = ${{file:{name}}}\n"
            for member, name in zip(
                ("consumer_key", "consumer_secret", "access_token", "access_token_secret"),
                ("ck", "cs", "at", "ats"),
                strict=True,
            )
        )
        text = f"{config.minimal}[redis]\nurl = redis://:${{PASSWORD}}@host/0\n[key:a]\n{keys}"
        config.write("traptor.ini", text, mode=0o644)
        assert load_settings(config.ini, {"PASSWORD": "pw"}).warnings == ()
        (config.folder / "cs").chmod(0o640)
        (warning,) = load_settings(config.ini, {"PASSWORD": "pw"}).warnings
        assert (
            warning == f"{config.folder}/cs: holds secrets, and others may open it (mode 0640); chmod 600 it"
        )

    @pytest.mark.parametrize(("url", "told"), [("redis://:pw@host", True), ("redis://host", False)])
    def test_a_password_of_redis_is_a_secret_of_the_ini(
        self, config: Configuration, url: str, told: bool
    ) -> None:
        config.write("traptor.ini", f"{config.minimal}[redis]\nurl = {url}\n", mode=0o604)
        warnings = load_settings(config.ini, {}).warnings
        assert any("holds secrets" in warning for warning in warnings) is told

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("token = abcdefghijklmnopqrstuvwxyz", True),
            ("tokens = ann:abcdefghijklmnopqrstuvwxyz", True),
            ("token =", False),
            ("token = ${TOKEN}", False),
        ],
    )
    def test_so_is_a_token_of_the_api(self, config: Configuration, line: str, told: bool) -> None:
        config.write("traptor.ini", f"{config.minimal}[http]\n{line}\n", mode=0o604)
        warnings = load_settings(config.ini, {"TOKEN": "abcdefghijklmnopqrstuvwxyz"}).warnings
        assert any("holds secrets" in warning for warning in warnings) is told


class TestChanges:
    def test_changed_options_are_told_by_what_a_reload_does(self, config: Configuration) -> None:
        old = config.load()
        new = config.load(
            config.option(
                "supervisor",
                "hang_timeout = 31s\nrun_dir = elsewhere\n[redis]\nurl = redis://other\nstats = no\n"
                "[logging]\nlevel = ERROR\n",
            )
        )
        changes = old.changes(new)
        assert [str(option) for option in changes.live] == ["[supervisor] hang_timeout"]
        assert [str(option) for option in changes.refresh] == ["[redis] stats", "[logging] level"]
        assert [str(option) for option in changes.restart] == ["[supervisor] run_dir", "[redis] url"]

    def test_the_same_settings_written_otherwise_are_no_change(self, config: Configuration) -> None:
        old = config.load()
        new = config.load(config.option("twitter", "rate_limit_backoff_max = 3600s\nquarantine = 900s"))
        assert old.changes(new) == old.changes(old)
        assert not any(dataclasses.astuple(old.changes(new)))

    def test_a_running_supervisor_keeps_what_needs_a_restart(self, config: Configuration) -> None:
        running = config.load()
        new = config.load(config.option("supervisor", "hang_timeout = 31s\nrun_dir = elsewhere"))
        taken = new.keeping_what_needs_a_restart(running)
        assert taken.supervisor.hang_timeout == 31.0
        assert taken.supervisor.run_dir == running.supervisor.run_dir
        assert running.changes(taken).restart == ()
        assert taken.changes(new).restart == running.changes(new).restart


def test_all_secrets_are_known_to_who_masks_logs(config: Configuration) -> None:
    tokens = "[http]\ntoken = 0123456789abcdef\ntokens = alice:fedcba9876543210\n"
    settings = config.load(config.option("redis", "url = redis://:p%40ss@host") + tokens)
    of_http = {"0123456789abcdef", "fedcba9876543210"}
    assert set(settings.secrets) == {"ck1", "cs1", "at1", "ats1", "p%40ss", "p@ss", *of_http}
    assert not any(secret in repr(settings) for secret in of_http)


def test_reading_leaves_no_descriptor_open(config: Configuration) -> None:
    config.load()
    left = Leftovers()
    for _ in range(20):
        config.load()
        config.problems("nonsense")
    left.wait_gone()


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("supervisor", "run_dir = 'run'"),
        ("redis", 'url = "redis://127.0.0.1:6379/0"'),
        ("twitter", 'track_limit = "400"'),
        ("traptor", 'groups = "track:0"'),
    ],
)
def test_a_value_in_quotes_is_told(config: Configuration, section: str, line: str) -> None:
    told = config.problem(config.option(section, line))
    name = line.split(" ")[0]
    assert told.endswith(f"[{section}] {name}: stands in quotes, which are a part of the value; remove them")


def test_rate_limits_are_lines_of_a_group_a_rate_and_a_capacity(config: Configuration) -> None:
    settings = config.load(config.option("traptor", "rate_limit = track:* 2 600\n  follow:3 0.5"))
    assert settings.traptor.rate_limit.rows == (("follow:3", "0.5"), ("track:*", "2 600"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("track:*", "line 1 must be a group, a rate and a capacity"),
        ("track:* 0", "line 1: the rate must be"),
        ("track:* 2 0", "line 1: the capacity must be"),
        ("tracks:* 2", "line 1 begins with no group"),
    ],
)
def test_a_rate_limit_that_cannot_be_read_says_where(config: Configuration, text: str, says: str) -> None:
    assert says in config.problem(config.option("traptor", f"rate_limit = {text}"))
