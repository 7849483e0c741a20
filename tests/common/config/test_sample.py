"""The sample and the page are what the option table says, and the sample is a configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.paths import ROOT
from support.waiting import DEADLINE_S

from traptor.common.config.docs import configuration_page
from traptor.common.config.sample import sample_ini
from traptor.common.config.sections.table import OPTIONS

if TYPE_CHECKING:
    from support.configuration import Configuration


@pytest.mark.parametrize(
    ("file", "text"), [("traptor.ini", sample_ini()), ("docs/configuration.md", configuration_page())]
)
def test_the_files_are_what_the_table_says(file: str, text: str) -> None:
    what = "ini" if file.endswith(".ini") else "docs"
    assert (ROOT / file).read_text() == text, f"run: python -m traptor.common.config.sample {what} > {file}"


def test_the_sample_loads_with_a_word_about_keys_only(config: Configuration) -> None:
    (warning,) = config.warnings(sample_ini())
    assert "has no usable key" in warning


def test_the_sample_shows_the_defaults(config: Configuration) -> None:
    shown = config.load(re.sub(r"(?m)^# (\w+ =)", r"\1", sample_ini().split("# The keys:")[0]))
    bare = config.load("[traptor]\noutput = jsonl:output\n")
    assert not any((shown.changes(bare).live, shown.changes(bare).refresh, shown.changes(bare).restart))
    for option in OPTIONS:
        assert re.search(rf"(?m)^(# )?{option.key} = ?{re.escape(option.sample)}$", sample_ini()), option


def test_the_key_in_the_sample_can_be_used(config: Configuration) -> None:
    example = re.sub(r"(?m)^# ?", "", sample_ini().split("# The keys:")[1].split("\n", 1)[1])
    example = re.sub(r"\$\{file:[^}]*\}", "from-a-file", example)
    (key,) = config.load(config.minimal + example, TRAPTOR_CONSUMER_KEY="ck").keys
    assert (key.name, key.consumer_key, key.source_address) == ("first", "ck", "192.0.2.7")


def test_no_line_of_the_sample_is_long() -> None:
    assert max(map(len, sample_ini().split("\n"))) <= 105


def test_the_page_has_every_option_once() -> None:
    page = configuration_page()
    for option in OPTIONS:
        table = page.split(f"\n### [{option.section}]\n")[1].split("\n#")[0]
        assert table.count(f"\n| `{option.key}` |") == 1, option


def test_the_keys_on_the_page_can_be_read(config: Configuration) -> None:
    blocks = [
        "\n".join(line[4:] for line in block.split("\n"))
        for block in re.findall(r"(?:^    .*\n)+", configuration_page(), re.MULTILINE)
    ]
    ini, yaml = (block for block in blocks if "consumer_key" in block)
    config.write("keys.yml", yaml.replace("...", "written-out"))
    ini = re.sub(r"\$\{file:[^}]*\}", "from-a-file", ini)
    settings = config.load(f"{config.minimal}{ini}\n[keys]\nfile = keys.yml\n", TRAPTOR_CONSUMER_KEY="ck")
    assert [key.name for key in settings.keys] == ["first", "second"]


@pytest.mark.parametrize(("what", "text"), [("ini", sample_ini()), ("docs", configuration_page())])
def test_the_command_prints_them(what: str, text: str) -> None:
    command = [sys.executable, "-m", "traptor.common.config.sample", what]
    assert (
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_S).stdout == text
    )


def test_the_command_without_a_word_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "traptor.common.config.sample"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S)
    assert result.returncode == 2
    assert "usage:" in result.stderr
