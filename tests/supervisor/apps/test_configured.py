"""What the ini says about apps arrives at them."""

from pathlib import Path

import pytest

from traptor.common.config.settings import Settings, load_settings
from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId
from traptor.supervisor.apps.configured import app_settings, route, wording
from traptor.supervisor.filters.sync.goal import ForeignFilters
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.money.reads import Prices

INI = """
[traptor]
api = v2
output = jsonl:-
collection = weather
foreign_filters = leave
follow_scope =
    follow:3 author
    * replies
suffix =
    track:* lang:en -is:retweet
[supervisor]
run_dir = run
state_dir = state
log_dir = -
rules_check_interval = 7s
[twitter]
api_url = https://x.test
rules_per_app = 800
rule_length = 2048
post_price = 0.006
user_price = 0.012
daily_posts = 1000
daily_dollars = 5
monthly_dollars = 100
credit_retry = 10m
{more}
[key:one]
bearer_token = a-long-secret-token
{key}
"""


def settings(folder: Path, more: str = "", key: str = "") -> Settings:
    path = folder / "traptor.ini"
    path.write_text(INI.format(more=more, key=key))
    return load_settings(path, {})


def test_limits_prices_and_caps(tmp_path: Path) -> None:
    found = app_settings(settings(tmp_path))
    assert (found.limits.collection, found.limits.filters, found.limits.length) == ("weather", 800, 2048)
    assert found.limits.policy is ForeignFilters.LEAVE
    assert found.terms.prices == Prices(0.006, 0.012)
    assert found.terms.caps == Caps(1000, 5.0, 100.0)
    assert (found.look_s, found.credit_retry_s) == (7.0, 600.0)


@pytest.mark.parametrize(
    ("group", "scope", "suffix"),
    [
        ("follow:3", FollowScope.AUTHOR, ""),
        ("follow:4", FollowScope.REPLIES, ""),
        ("track:0", FollowScope.REPLIES, "lang:en -is:retweet"),
    ],
)
def test_wording_by_group(tmp_path: Path, group: str, scope: FollowScope, suffix: str) -> None:
    found = wording(settings(tmp_path), GroupId.parse(group))
    assert (found.scope, found.suffix) == (scope, suffix)


def test_the_master_takes_the_way_of_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://of.environment:1")
    of_key = settings(tmp_path, key="proxy = http://of.key:2\nsource_address = 127.0.0.1")
    found = route(of_key, of_key.keys[0])
    assert (found.api_url, found.proxy, found.source_address) == (
        "https://x.test",
        "http://of.key:2",
        "127.0.0.1",
    )
    bare = settings(tmp_path)
    assert route(bare, bare.keys[0]).proxy is None
    of_environment = settings(tmp_path, more="proxy = environment")
    for text, proxy in (
        ("http://of.environment:1", "http://of.environment:1"),
        ("of.environment:1", "http://of.environment:1"),
        ("", None),
    ):
        monkeypatch.setenv("HTTPS_PROXY", text)
        assert route(of_environment, of_environment.keys[0]).proxy == proxy
    monkeypatch.setenv("HTTPS_PROXY", "http://of.environment:1")
    monkeypatch.setenv("NO_PROXY", ".test")
    assert route(of_environment, of_environment.keys[0]).proxy is None
