"""Every option has a meaning, a default that is valid, and limits that keep it sane."""

from __future__ import annotations

from pathlib import Path

import pytest

from traptor.common.config.kinds.kinds import IniFolder
from traptor.common.config.options import OnReload
from traptor.common.config.sections.table import OPTIONS, SECTIONS
from traptor.common.config.sections.twitter import TwitterSection

DEFAULTS = {
    "traptor": "api=v1.1 groups=* output=None other_messages=topic extras=yes collection=default"
    " rate_limit= follow_scope=full suffix= expand=none payload=native output_trial="
    " repeated=mark edits=all foreign_filters=refuse",
    "supervisor": "run_dir=run state_dir=state log_dir=logs rules_check_interval=60s refresh_min_interval=10s"
    " heartbeat_interval=5s heartbeat_empty=1h honour_status=yes handover=slot,spare,overlap,serial"
    " hang_timeout=30s health_interval=5s max_memory=0 overlap_timeout=10s drain_timeout=30s"
    " outbox_max_bytes=1G outbox_durability=process confirm_timeout=60s start_parallel=4"
    " restart_backoff=1s restart_backoff_max=60s"
    " restart_reset_after=60s ledger_keep=90d",
    "redis": "url=redis://127.0.0.1:6379/0 channel=traptor-notify timeout=5s ca_file= stats=yes",
    "twitter": "stream_url=https://stream.twitter.com api_url=https://api.x.com stream_ca_file= proxy=none"
    " connect_timeout=10s stall_timeout=auto follow_limit=5000"
    " track_limit=400 locations_limit=25 rules_per_app=1000 rule_length=1024"
    " connects=auto connects_window=auto network_backoff=250ms"
    " network_backoff_max=16s http_backoff=5s http_backoff_max=320s rate_limit_backoff=60s"
    " rate_limit_backoff_max=1h refused_retry=15m quarantine=15m quarantine_max=24h connect_rate=2"
    " post_price=0.005 user_price=0.010 counts_price=0.010 daily_posts=none"
    " daily_dollars=none monthly_dollars=none"
    " credit_retry=30m fill_gaps=no fill_daily_dollars=10 fill_after=30s",
    "kafka": "bootstrap_servers= topic=traptor create_topic=no",
    "http": "listen= token= tokens= hosts=",
    "logging": "level=INFO format=text rotate_size=0 rotate_keep=5 sentry_dsn=",
    "keys": "file=",
}


def test_the_table_has_the_options_and_defaults_that_were_agreed_on() -> None:
    table = {
        section.section: " ".join(f"{row.key}={row.default}" for row in section.options()).replace(", ", ",")
        for section in SECTIONS
    }
    assert table == DEFAULTS


def test_every_option_says_what_it_is_for() -> None:
    for option in OPTIONS:
        assert option.meaning.endswith("."), option
        assert option.allowed.text, option
        assert option.reload in OnReload


def test_only_options_that_may_hold_a_secret_are_hidden() -> None:
    assert [str(option) for option in OPTIONS if option.is_secret] == [
        "[redis] url",
        "[http] token",
        "[http] tokens",
        "[logging] sentry_dsn",
    ]


def test_every_sample_is_valid(tmp_path: Path) -> None:
    for section in SECTIONS:
        samples = {option.key: option.sample for option in section.options()}
        section.model_validate(samples, context=IniFolder(tmp_path))


def test_a_section_cannot_be_changed() -> None:
    section = TwitterSection.model_validate({})
    with pytest.raises(ValueError, match="frozen"):
        section.connects = 7
