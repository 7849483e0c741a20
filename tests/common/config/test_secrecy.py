"""No error, warning or representation of the configuration holds a secret, wherever it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.planted import SECRET, everything_shown

from traptor.common.config.settings import load_settings
from traptor.common.errors import ConfigError

if TYPE_CHECKING:
    from support.configuration import Configuration

PARTS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
WHOLE = "".join(f"{part} = {SECRET}\n" for part in PARTS)
YAML = "apikeys:\n- " + WHOLE.replace(" = ", ": ").replace("\n", "\n  ")
WITH_FILE = "[keys]\nfile = keys.yml\n"

BAD_INIS = [
    f"[keys]\nfile = url = redis://user:{SECRET}@127.0.0.1:6379/0\n",
    f'[key:a]\nconsumer_key = "{SECRET}"\n',
    f'[redis]\nurl = "redis://user:{SECRET}@127.0.0.1:6379/0"\n',
    f"[key:a]\n{SECRET}\n",
    f"[key:a]\nconsumer_key\n{SECRET} = x\n",
    f"[key:a]\n{SECRET}=\n{SECRET}==\n",
    f"[key:a]\nconsumer_key = {SECRET}\n  {SECRET}\n",
    f"[key:a]\nconsumer_key = {SECRET} {SECRET}\n",
    f"[key:a]\nconsumer_key = {SECRET}ä\n",
    f"[key:a]\nconsumer_key = <{SECRET}>\n",
    f"[key:a]\nconsumer_key = YOUR_{SECRET}\n",
    f"[key:a]\nconsumer_key = {SECRET}\nconsumer_key = {SECRET}\n",
    f"[key:a]\nconsumer_key = {SECRET}${{\n",
    f"[key:a]\nconsumer_key = ${{NOPE}}{SECRET}\n",
    f"[key:a]\nsource_address = {SECRET}\n",
    f"[key:a]\nmax_connections = {SECRET}\n",
    f"[key:a]\nproxy = {SECRET}\n",
    f"[key:a]\nproxy = http://user:{SECRET}@\n",
    f"[key:a]\nproxy = http://user:{SECRET}@[::1\n",
    f"[key:a]\nproxy = http://user:a#{SECRET}@proxy\n",
    f"[key:a]\nproxy = ftp://user:{SECRET}@proxy\n",
    f"[key:a]\nproxy = http://proxy:{SECRET}\n",
    f"[key a]\nconsumer_key = {SECRET}\n",
    f"[kye:a]\nconsumer_key = {SECRET}\n",
    f"consumer_key = {SECRET}\n",
    f"[redis]\nurl = {SECRET}\n",
    f"[logging]\nlevel = redis://:{SECRET}@host\n",
    f"[twitter]\nconnects = http://user:{SECRET}@proxy\n",
    f"[redis]\nurl = redis://:{SECRET}@\n",
    f"[redis]\nurl = redis://:{SECRET}@[::1\n",
    f"[redis]\nurl = redis://:{SECRET}@host:port\n",
    f"[redis]\nurl = redis://:a/{SECRET}@host\n",
    f"[redis]\nurl = redis://:a#{SECRET}@host\n",
    f"[redis]\nurl = redis://host?pasword={SECRET}\n",
    f"[redis]\nurl = http://:{SECRET}@host\n",
    f"[redis]\nurl = redis://:{SECRET} @host\n",
    f"[redis]\nurl = redis://:{SECRET}@host\n  next\n",
    f"[redis]\nurl = redis://:{SECRET}@host\nurl = redis://:{SECRET}@host\n",
    f"[key:a]\n{WHOLE}[key:b]\n{WHOLE}",
    f"[http]\ntokens = alice:{SECRET}, bob {SECRET}\n",
    f"[http]\ntokens = alice:{SECRET}, bob:{SECRET}\n",
    "[logging]\nlevel = ${file:secret}\n",
]

OPTIONS_OF_ALL_KINDS = {
    "traptor": ["api", "groups", "other_messages"],
    "supervisor": ["hang_timeout", "handover", "honour_status", "start_parallel"],
    "redis": ["url", "channel"],
    "twitter": ["stream_url", "connect_rate"],
    "logging": ["rotate_size", "level", "format"],
    "key:a": ["proxy", "source_address", "max_connections", "consumer_key"],
}
BAD_INIS += [
    f"[{section}]\n{key} = ${{VARIABLE}}\n" for section, keys in OPTIONS_OF_ALL_KINDS.items() for key in keys
]

BAD_KEY_FILES = [
    f"apikeys:\n- consumer_key: '{SECRET}\n",
    f'apikeys:\n- consumer_key: "{SECRET}\\q"\n',
    f"apikeys:\n- consumer_key: *{SECRET}\n",
    f"apikeys:\n- consumer_key: &{SECRET} a\n  access_token: &{SECRET} b\n",
    f"apikeys:\n- consumer_key: !{SECRET} a\n",
    f"apikeys:\n- consumer_key: !<{SECRET}\n",
    f"apikeys:\n- consumer_key: !x!{SECRET} a\n",
    f"apikeys:\n- consumer_key: @{SECRET}\n",
    f"apikeys:\n- consumer_key: %{SECRET}\n",
    f"apikeys:\n- consumer_key: a: {SECRET}\n",
    f"apikeys:\n- {SECRET}\n",
    f"apikeys:\n- {SECRET}: a\n",
    f"apikeys:\n- [{SECRET}]\n",
    f"apikeys: {SECRET}\n",
    f"{SECRET}\n",
    f"%{SECRET}\n---\n",
    f"apikeys:\n- consumer_key: [{SECRET}]\n",
    f"apikeys:\n- consumer_key: '{{{{ {SECRET} }}}}'\n",
    f"apikeys:\n- consumer_key: !vault {SECRET}\n",
    f"apikeys:\n- consumer_key: {SECRET}\n  consumer_key: {SECRET}\n",
    f"apikeys:\n- name: {SECRET} {SECRET}\n",
    f"apikeys:\n- proxy: http://user:{SECRET}@[\n",
    f"apikeys:\n- consumer_key: {SECRET}\x07\n",
    f"$ANSIBLE_VAULT;{SECRET}\n",
    f"api_keys: {SECRET}\n",
]


def assert_told_without_the_secret(config: Configuration, text: str) -> None:
    config.write("secret", SECRET)
    with pytest.raises(ConfigError) as caught:
        config.load(text, VARIABLE=f"{SECRET} {SECRET}")
    shown = everything_shown(caught.value)
    assert SECRET.lower() not in shown.lower()


@pytest.mark.parametrize("text", BAD_INIS)
def test_no_problem_of_the_ini_holds_a_secret(config: Configuration, text: str) -> None:
    assert_told_without_the_secret(config, text if "[traptor]" in text else config.minimal + text)


@pytest.mark.parametrize("text", BAD_KEY_FILES)
def test_no_problem_of_the_key_file_holds_a_secret(config: Configuration, text: str) -> None:
    config.write("keys.yml", text)
    assert_told_without_the_secret(config, config.minimal + WITH_FILE)


def test_no_problem_of_another_option_brings_a_secret_with_it(config: Configuration) -> None:
    config.write("keys.yml", YAML)
    text = f"[redis]\nurl = redis://:{SECRET}@host\ntimeout = 5\n{WITH_FILE}[nosuch]\n"
    assert_told_without_the_secret(config, config.minimal + text)


def test_neither_settings_nor_warnings_show_a_secret(config: Configuration) -> None:
    config.write(
        "keys.yml", YAML.replace(f"consumer_secret: {SECRET}", f"consumer_secret: other-{SECRET}"), 0o644
    )
    text = (
        f"[redis]\nurl = redis://:{SECRET}@host\n{WITH_FILE}"
        f"[key:a]\n{WHOLE.replace(f'access_token = {SECRET}', f'access_token = 2-{SECRET}')}"
        f"proxy = http://user:{SECRET}@proxy\nbearer_token = {SECRET}\n[key:b]\nbearer_token = {SECRET}\n"
    )
    config.write("traptor.ini", config.minimal + text, 0o644)
    settings = load_settings(config.ini, {})
    assert len(settings.keys) == 2
    assert len(settings.warnings) == 4
    shown = [repr(settings), str(settings), *settings.warnings, settings.redis.masked_url]
    shown += [repr(settings.redis), str(settings.redis), *map(str, settings.keys)]
    assert SECRET not in "\n".join(shown)
