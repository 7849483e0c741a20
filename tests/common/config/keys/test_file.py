"""Keys are read from the `apikeys` of a YAML file, and what is wrong there is told with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.configuration import Configuration

WITH_FILE = "[traptor]\noutput = jsonl:out\n[keys]\nfile = keys.yml\n"
ENTRY = """\
- consumer_key: ck
  consumer_secret: cs
  access_token: at
  access_token_secret: ats
"""
LIST = f"apikeys:\n{ENTRY}"


def problems(config: Configuration, text: str | bytes) -> list[str]:
    config.write("keys.yml", text)
    return config.problems(WITH_FILE)


def problem(config: Configuration, text: str | bytes) -> str:
    (one,) = problems(config, text)
    return one


def test_all_members_are_read(config: Configuration) -> None:
    config.write(
        "keys.yml",
        LIST + "  name: spare\n  bearer_token: bt\n  source_address: 192.0.2.7\n"
        "  proxy: socks5h://user:pw@proxy:1080\n  max_connections: 2\n",
    )
    (key,) = config.load(WITH_FILE).keys
    assert (key.name, key.source_address, key.proxy) == ("spare", "192.0.2.7", "socks5h://user:pw@proxy:1080")
    assert (key.consumer_key, key.consumer_secret, key.access_token) == ("ck", "cs", "at")
    assert (key.access_token_secret, key.bearer_token, key.max_connections) == ("ats", "bt", 2)


def test_other_variables_of_the_file_are_ignored(config: Configuration) -> None:
    config.write(
        "keys.yml", "---\nusers: [a, b]\nusers: again\n? [odd]\n: key\nsecret: !vault |\n  xyz\n" + LIST
    )
    assert len(config.load(WITH_FILE).keys) == 1


def test_a_key_without_a_name_is_called_by_its_id(config: Configuration) -> None:
    config.write("keys.yml", LIST)
    (key,) = config.load(WITH_FILE).keys
    assert key.name == f"key-{key.key_id}"


def test_numbers_count_as_they_are_written(config: Configuration) -> None:
    config.write(
        "keys.yml", LIST.replace(": ck", ": 0123").replace(": cs", ": 1_0").replace(": ats", ": 1.50")
    )
    (key,) = config.load(WITH_FILE).keys
    assert (key.consumer_key, key.consumer_secret, key.access_token_secret) == ("0123", "1_0", "1.50")


def test_an_empty_list_is_no_problem(config: Configuration) -> None:
    config.write("keys.yml", "apikeys: []\n")
    assert config.load(WITH_FILE).keys == ()


def test_anchors_may_be_used(config: Configuration) -> None:
    config.write("keys.yml", "address: &here 192.0.2.7\n" + LIST + "  source_address: *here\n")
    assert config.load(WITH_FILE).keys[0].source_address == "192.0.2.7"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "keys.yml: must have the list `apikeys:` at its top level"),
        ("just text\n", "keys.yml: must have the list `apikeys:` at its top level"),
        ("- a\n- b\n", "keys.yml: must have the list `apikeys:` at its top level"),
        ("other: 1\n", "keys.yml: has no list `apikeys:` at its top level"),
        (LIST.replace("apikeys", "api_keys"), "keys.yml: has no list `apikeys:` at its top level"),
        ("\napikeys: text\n", "keys.yml:2 apikeys: must be a list, with one `- ` for each key"),
        ("apikeys:\n", "keys.yml:1 apikeys: must be a list, with one `- ` for each key"),
        ("apikeys:\n  a: b\n", "keys.yml:2 apikeys: must be a list, with one `- ` for each key"),
        (LIST + "apikeys: []\n", "keys.yml:6 apikeys: is already there, in line 1"),
        (
            LIST + "- text\n",
            "keys.yml:6 apikeys[2]: must be the members of one key, such as consumer_key: ...",
        ),
        (
            LIST + "  bearer: x\n",
            "keys.yml:6 apikeys[1]: a key has no member bearer; did you mean bearer_token?",
        ),
        (LIST + "  name: a\n  name: b\n", "keys.yml:7 apikeys[1] name: is already set, in line 6"),
        (
            LIST + "  <<: {name: a}\n",
            "keys.yml:6 apikeys[1]: merges (<<) are not read here; write the members out",
        ),
        (LIST + "  proxy: [a]\n", "keys.yml:6 apikeys[1] proxy: must be text; put it into quotes"),
        (LIST + "  proxy: {a: b}\n", "keys.yml:6 apikeys[1] proxy: must be text; put it into quotes"),
        (
            LIST.replace("cs", "yes"),
            "keys.yml:3 apikeys[1] consumer_secret: must be text; put it into quotes",
        ),
        (
            LIST.replace("cs", "2026-11-24"),
            "keys.yml:3 apikeys[1] consumer_secret: must be text; put it into quotes",
        ),
        (LIST.replace("cs", "null"), "keys.yml:3 apikeys[1] consumer_secret: is empty"),
        (
            LIST.replace("cs", "'{{ vaulted }}'"),
            "keys.yml:3 apikeys[1] consumer_secret: is an Ansible template",
        ),
        (LIST.replace("cs", "!vault |\n      6162"), "keys.yml:3 apikeys[1] consumer_secret: is encrypted"),
        ("apikeys: !vault |\n  6162\n", "keys.yml:1 apikeys: is encrypted with ansible-vault"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "keys.yml:1: is encrypted with ansible-vault"),
        (LIST + "  name: 'open\n", "keys.yml:7: not YAML: check quotes, colons and indentation"),
        (LIST + "   name: x\n", "keys.yml:6: not YAML: check quotes, colons and indentation"),
        ("apikeys:\n\t- a: b\n", "keys.yml:2: not YAML: check quotes, colons and indentation"),
        (LIST + "  name: *nowhere\n", "keys.yml:6: not YAML that can be read: an anchor or alias is wrong"),
        (LIST + "---\n" + LIST, "keys.yml:6: not YAML that can be read"),
        ("apikeys: \x01\n", "keys.yml: not YAML: it has characters that YAML does not allow"),
        ("apikeys: \x00\n", "keys.yml:1 ([keys] file): has a NUL character here; save it as UTF-8 text"),
        ('apikeys: "\\UFFFFFFFF"\n', "keys.yml: not YAML: an escape such as \\U stands for no character"),
        ('apikeys: "\\U00110000"\n', "keys.yml: not YAML: an escape such as \\U stands for no character"),
        ("[" * 5000, "keys.yml: not a list of keys: it is nested too deeply"),
        (b"apikeys:\n- \xff\n", "keys.yml:2 ([keys] file): is not UTF-8 text here"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(config: Configuration, text: str | bytes, told: str) -> None:
    assert problem(config, text).startswith(told)


def test_a_list_in_itself_is_told(config: Configuration) -> None:
    assert problem(config, "apikeys: &a [*a]\n").startswith("keys.yml:1 apikeys[1]: must be the members")


def test_every_problem_of_the_file_is_told(config: Configuration) -> None:
    text = "apikeys:\n- 1\n- consumer_key: yes\n  color: red\n  proxy: x\n" + ENTRY
    assert [told.split(": ")[0] for told in problems(config, text)] == [
        "keys.yml:2 apikeys[1]",
        "keys.yml:3 apikeys[2] consumer_key",
        "keys.yml:3 apikeys[2]",
        "keys.yml:4 apikeys[2]",
        "keys.yml:5 apikeys[2] proxy",
    ]


def test_a_key_file_that_others_may_open_is_told(config: Configuration) -> None:
    config.write("keys.yml", LIST, mode=0o640)
    (warning,) = config.warnings(WITH_FILE)
    assert warning == "keys.yml: holds secrets, and others may open it (mode 0640); chmod 600 it"
    config.write("keys.yml", LIST, mode=0o600)
    assert config.warnings(WITH_FILE) == []
