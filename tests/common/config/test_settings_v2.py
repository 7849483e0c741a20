"""With API v2: its options, its keys, and which key serves which groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from traptor.common.config.settings import load_settings
from traptor.common.rules.rule import GroupId
from traptor.supervisor.workers.settings import worker_settings

if TYPE_CHECKING:
    from support.configuration import Configuration

V2 = "[traptor]\noutput = jsonl:out\napi = v2\n"
APP = "[key:app]\nbearer_token = secret-1\n"


def key(name: str, groups: str = "", *, bearer: str = "") -> str:
    lines = [f"[key:{name}]", f"bearer_token = {bearer or f'token-of-{name}'}"]
    return "\n".join([*lines, *([f"groups = {groups}"] if groups else [])]) + "\n"


class TestOptions:
    def test_what_is_not_set_has_v2s_default(self, config: Configuration) -> None:
        twitter = config.load(V2 + APP).twitter
        assert (twitter.connects, twitter.connects_window, twitter.stall_timeout) == (50, 900.0, 30.0)
        assert (twitter.daily_posts, twitter.daily_dollars, twitter.monthly_dollars) == (None, None, None)

    def test_what_is_set_counts_with_either_api(self, config: Configuration) -> None:
        twitter = config.load(f"{V2}{APP}[twitter]\nconnects = 7\nstall_timeout = 25s\n").twitter
        assert (twitter.connects, twitter.stall_timeout) == (7, 25.0)
        assert config.load().twitter.connects == 5

    def test_the_line_that_is_most_particular_counts_for_a_group(self, config: Configuration) -> None:
        lines = "follow_scope = replies\n  follow:3 author\nsuffix = * lang:en\n  track:* -is:retweet a\n"
        traptor = config.load(V2 + lines + APP).traptor
        scopes = [traptor.follow_scope.of(GroupId.parse(group)) for group in ("follow:0", "follow:3")]
        assert scopes == ["replies", "author"]
        suffixes = [traptor.suffix.of(GroupId.parse(group)) for group in ("follow:0", "track:1")]
        assert suffixes == ["lang:en", "-is:retweet a"]

    def test_alternatives_stand_in_parentheses(self, config: Configuration) -> None:
        suffix = '(lang:en OR lang:de) -"this OR that (" or'
        traptor = config.load(f"{V2}suffix = * {suffix}\n{APP}").traptor
        assert traptor.suffix.of(GroupId.parse("track:1")) == suffix

    def test_without_lines_the_scope_is_that_of_v1(self, config: Configuration) -> None:
        traptor = config.load(V2 + "follow_scope = follow:3 author\n" + APP).traptor
        assert traptor.follow_scope.of(GroupId.parse("follow:0")) == "full"
        assert traptor.suffix.of(GroupId.parse("follow:0")) == ""

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("collection = a/b", "must be made of at most 64 of A-Z a-z 0-9 _ -"),
            ("follow_scope = all", "must be author, replies or full"),
            ("follow_scope = folow:3 author", "line 1 begins with no group"),
            ("suffix = * lang:en\u200b", "line 1 has invisible characters (U+200B)"),
            ("suffix = * lang:en\n  track:* lang:\ufeffde a", "line 2 has invisible characters (U+FEFF)"),
            ('suffix = * "word\u200d"', "line 1 has invisible characters (U+200D)"),
            ("suffix = * -(\u200cx OR y)", "line 1 has invisible characters (U+200C)"),
            ("suffix = lang:en", "line 1 must be a group and its suffix"),
            ("suffix = * lang:en OR lang:de", "line 1 has an OR outside of parentheses"),
            ("suffix = * -is:retweet\n  track:* (lang:en) OR x", "line 2 has an OR outside of parentheses"),
            ("suffix = * (lang:en", "line 1 has a quote or a parenthesis without its other half"),
            ("suffix = * lang:en) OR (x", "line 1 has a quote or a parenthesis without its other half"),
            ('suffix = * "a (b', "line 1 has a quote or a parenthesis without its other half"),
            ("suffix = * lang:en\n  * lang:de", "line 2 names the same groups as an earlier one"),
            ("expand = media", "must be none, posts, users or all"),
            ("foreign_filters = keep", "must be refuse, leave, adopt or remove"),
        ],
    )
    def test_a_wrong_value_is_told(self, config: Configuration, line: str, problem: str) -> None:
        assert problem in config.problem(V2 + line + "\n" + APP)

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("daily_posts = 0", "must be at least 1"),
            ("daily_dollars = 0", "must be at least 0.01"),
            ("post_price = $1", "not an amount"),
        ],
    )
    def test_a_wrong_amount_is_told(self, config: Configuration, line: str, problem: str) -> None:
        assert problem in config.problem(f"{V2}{APP}[twitter]\n{line}\n")

    def test_a_rebuilt_payload_needs_an_expansion_that_was_chosen(self, config: Configuration) -> None:
        payload = "payload = v1.1\n"
        assert "needs `expand` to be set" in config.problem(V2 + payload + APP)
        for expand in ("none", "all"):
            traptor = config.load(f"{V2}{payload}expand = {expand}\n{APP}").traptor
            assert (traptor.payload, traptor.expand) == ("v1.1", expand)
        assert config.load(V2 + APP).traptor.payload == "native"

    def test_one_key_for_all_versions_needs_an_output_with_keys(self, config: Configuration) -> None:
        assert "needs output = kafka: lines have no key" in config.problem(V2 + "edits = last\n" + APP)
        kafka = "[traptor]\noutput = kafka\napi = v2\nedits = last\n[kafka]\nbootstrap_servers = h:1\n"
        assert worker_settings(config.load(kafka + APP)).edits == "last"
        assert worker_settings(config.load(V2 + APP)).edits == "all"

    def test_a_trial_of_the_rebuilt_form_needs_one_too(self, config: Configuration) -> None:
        trial = "output_trial = old\n"
        assert "needs `expand` to be set" in config.problem(V2 + trial + APP)
        settings = config.load(f"{V2}{trial}expand = none\n{APP}")
        workers = worker_settings(settings)
        assert (workers.trial, workers.payload, workers.trial_payload) == ("old", "native", "v1.1")

    @pytest.mark.parametrize(
        ("lines", "problem"),
        [
            ("output = jsonl:out\n", "needs api = v2: v1.1 has one form only"),
            ("output = jsonl:-\napi = v2\n", "needs output = kafka or output = jsonl:DIR"),
            ("output = jsonl:out\napi = v2\nother_messages = old\n", "other_messages has this one"),
            ("output = kafka\napi = v2\n[kafka]\ntopic = old\n", "[kafka] topic has this one"),
            ("output = kafka\napi = v2\n[kafka]\ntopic = old.dlq\n", "that of its dead letters"),
            ("output = kafka\napi = v2\nother_messages = old\n", "other_messages has this one"),
            ("output = jsonl:out\napi = v2\n", "must be the name of a topic"),
        ],
    )
    def test_a_trial_without_another_form_or_a_place_of_its_own_is_refused(
        self, config: Configuration, lines: str, problem: str
    ) -> None:
        name = "a/b" if "name of a topic" in problem else "old"
        brokers = "" if "[kafka]" in lines else "[kafka]\n"
        ini = f"[traptor]\nexpand = none\noutput_trial = {name}\n{lines}{brokers}bootstrap_servers = h:1\n"
        assert problem in config.problem(ini)

    def test_options_of_the_other_api_are_a_warning(self, config: Configuration) -> None:
        (warning,) = config.warnings(f"{V2}{APP}[twitter]\ntrack_limit = 10\n")
        assert warning == (
            "traptor.ini:7 [twitter] track_limit: has no effect with [traptor] api = v2; it is an option of"
            " v1.1"
        )
        (warning,) = config.warnings(config.option("twitter", "daily_posts = 10"))
        assert "has no effect with [traptor] api = v1.1; it is an option of v2" in warning

    def test_a_reload_that_names_the_other_api_keeps_keys_and_limits(self, config: Configuration) -> None:
        running = config.load()
        new = config.load(V2 + APP)
        kept = new.keeping_what_needs_a_restart(running)
        assert (kept.keys, kept.twitter.connects, kept.traptor.api) == (running.keys, 5, "v1.1")


class TestKeys:
    @pytest.mark.parametrize(
        "members",
        ["bearer_token = b1", "consumer_key = ck\nconsumer_secret = cs"],
        ids=["bearer", "pair"],
    )
    def test_a_token_is_enough_and_so_is_what_it_is_fetched_with(
        self, config: Configuration, members: str
    ) -> None:
        (found,) = config.load(f"{V2}[key:app]\n{members}\n").keys
        assert (found.name, found.groups) == ("app", None)

    def test_a_key_of_v1_serves_v2(self, config: Configuration) -> None:
        (found,) = config.load(V2 + config.key).keys
        assert found.key_id == config.load().keys[0].key_id

    def test_a_key_without_either_is_told(self, config: Configuration) -> None:
        told = config.problem(f"{V2}[key:app]\nconsumer_key = ck\n")
        assert told.endswith(
            "lacks bearer_token, or consumer_key and consumer_secret to fetch it with, for API v2"
        )

    def test_two_keys_of_one_app_are_a_problem(self, config: Configuration) -> None:
        pair = "consumer_key = ck\nconsumer_secret = cs\naccess_token = {0}\naccess_token_secret = s{0}\n"
        keys = "".join(
            f"[key:{n}]\n{pair.format(n)}groups = {g}\n" for n, g in (("a", "*"), ("b", "track:3"))
        )
        told = config.problems(V2 + keys)
        assert "is of the same app as the one at traptor.ini:4 [key:a]" in told[0]

    def test_a_section_s_groups_may_span_lines(self, config: Configuration) -> None:
        first, _ = config.load(V2 + key("a", "follow:*,\n  track:*") + key("b", "locations:*")).keys
        assert str(first.groups) == "follow:*, track:*"

    def test_a_file_s_key_may_have_groups(self, config: Configuration) -> None:
        config.write("keys.yml", "apikeys:\n- bearer_token: b1\n  groups: follow:*, track:3\n  name: a\n")
        text = V2 + "groups = follow:*, track:3\n[keys]\nfile = keys.yml\n"
        (found,) = config.load(text).keys
        assert str(found.groups) == "follow:*, track:3"


class TestClaims:
    def test_each_group_has_one_key(self, config: Configuration) -> None:
        text = V2 + "groups = follow:*, track:3\n" + key("a", "follow:*") + key("b", "track:3")
        assert [found.name for found in config.load(text).keys] == ["a", "b"]

    def test_a_group_that_two_keys_claim_is_told_with_both(self, config: Configuration) -> None:
        told = config.problem(V2 + key("a", "*") + key("b", "track:3"))
        assert told == (
            "traptor.ini:7 [key:b]: claims track:3, and so does the key a at traptor.ini:4 [key:a]; a group"
            " is served by one key"
        )

    def test_groups_that_no_key_claims_are_told(self, config: Configuration) -> None:
        told = config.problem(V2 + key("a", "follow:*") + key("b", "track:3"))
        assert told.startswith(
            "traptor.ini [traptor] groups: serves locations:*, track:*, which no key claims"
        )

    def test_a_single_key_may_leave_groups_out_only_if_they_are_not_served(
        self, config: Configuration
    ) -> None:
        assert "serves track:7, which no key claims (keys: a)" in config.problem(
            V2 + "groups = track:3, track:7\n" + key("a", "track:3")
        )

    def test_of_several_keys_each_says_what_it_serves(self, config: Configuration) -> None:
        told = config.problem(V2 + key("a", "*") + key("b"))
        assert told.startswith("traptor.ini:7 [key:b]: lacks groups: there are 2 keys (a, b)")

    def test_groups_mean_nothing_to_v1(self, config: Configuration) -> None:
        (warning,) = config.warnings(config.minimal + config.key + "groups = *\n")
        assert "has groups, which have no effect" in warning


class TestWorkerSettings:
    def test_a_stream_is_asked_for_the_fields_that_expand_names(self, config: Configuration) -> None:
        def query(expand: str) -> dict[str, str]:
            text = f"{V2}expand = {expand}\n{APP}[twitter]\napi_url = http://127.0.0.1:9\n"
            worker = worker_settings(config.load(text))
            assert (worker.api, worker.stream_url) == ("v2", "http://127.0.0.1:9")
            return dict(worker.stream_query)

        assert query("none").keys() == {"tweet.fields"}
        assert query("posts")["expansions"] == "referenced_tweets.id"
        assert query("users")["expansions"] == "author_id"
        assert "referenced_tweets.id.author_id" in query("all")["expansions"]

    def test_v1s_stream_has_no_query(self, config: Configuration) -> None:
        worker = worker_settings(config.load())
        assert (worker.stream_url, worker.stream_query) == ("https://stream.twitter.com", ())

    def test_the_token_is_a_secret(self, config: Configuration) -> None:
        config.write("traptor.ini", V2 + APP)
        settings = load_settings(config.ini, {})
        assert "secret-1" in settings.secrets
        assert "secret-1" not in repr(settings)
