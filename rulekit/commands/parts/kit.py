"""What a command works with: settings, Redis, and who is asking."""

from __future__ import annotations

import gc
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import orjson
import redis
from rich.console import Console

from traptor.common.config.kinds.v2 import V2
from traptor.common.config.sections.redis import RedisSection
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import TwitterSection
from traptor.common.config.settings import Sections, Settings, load_sections, load_settings
from traptor.common.errors import ConfigError, TraptorError
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, Limits, RuleType
from traptor.common.text import one_line, safe_json

# To look for cycles among the rules of a load took a tenth of its time, and they make none.
_COLLECTED_SELDOM = (100_000, 50, 100)


class Kit:
    """The settings of an ini, read as far as a command needs them: whoever changes rules needs no key.

    Every property raises ConfigError where its section has a problem.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def settings(self) -> Settings:
        """All settings, with the keys."""
        return load_settings(self._path)

    @cached_property
    def _sections(self) -> Sections:
        return load_sections(self._path)

    @property
    def traptor(self) -> TraptorSection:
        """The section [traptor]."""
        return self._sections.traptor or self.settings.traptor

    @property
    def is_v2(self) -> bool:
        """Whether rules become filters at X (`api = v2`)."""
        return self.traptor.api == V2

    @property
    def twitter(self) -> TwitterSection:
        """The section [twitter]."""
        return self._sections.twitter or self.settings.twitter

    @property
    def redis_options(self) -> RedisSection:
        """The section [redis]."""
        return self._sections.redis or self.settings.redis

    @property
    def limits(self) -> Limits:
        """The most values of one connection, by type."""
        return Limits(self.twitter.follow_limit, self.twitter.track_limit, self.twitter.locations_limit)

    @property
    def honour_status(self) -> bool:
        """Whether rules with an inactive status are left out of streams."""
        return (self._sections.supervisor or self.settings.supervisor).honour_status

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """Lend a client of the ini's Redis."""
        of = self.redis_options
        client = blocking_redis_client(of.url, of.timeout, of.ca_file)
        try:
            yield client
        finally:
            client.close()


class RulesGroup(click.Group):
    """A group whose errors are lines on stderr, with the exit codes of Traptor."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        usual = gc.get_threshold()
        gc.set_threshold(*_COLLECTED_SELDOM)
        try:
            return super().invoke(ctx)
        except TraptorError as error:
            problems = error.problems if isinstance(error, ConfigError) else [error]
            for problem in problems:
                say(f"error: {problem}")
            ctx.exit(int(error.exit_code))
        finally:
            gc.set_threshold(*usual)


def kit_of(ctx: click.Context) -> Kit:
    """Return the kit for the ini that was named, by the group or by the command line around it."""
    config = _config(ctx)
    if config is None:
        raise click.UsageError("name the ini: -c traptor.ini", ctx)
    return Kit(config)


def _config(ctx: click.Context) -> Path | None:
    at: click.Context | None = ctx
    while at is not None:
        if named := at.params.get("config"):
            return Path(named)
        at = at.parent
    return None


def who_asks() -> str:
    """Return the OS user, and the one behind sudo."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER")
    return f"{behind} (as {user})" if behind and behind != user else user


def say(text: str) -> None:
    """Print a line for people on stderr; stdout is for data. Nothing in it steers the terminal."""
    click.echo(one_line(text), err=True)


def say_json(content: object) -> None:
    """Print a JSON document on stdout."""
    click.echo(safe_json(orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str)))


def stderr_console() -> Console:
    """Return a console for progress; it shows none where stderr is no terminal."""
    return Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Where:
    """A type of rules, or one group of it."""

    type: RuleType
    group: GroupId | None = None

    def __str__(self) -> str:
        return str(self.group or self.type)


def a_type(text: str) -> RuleType:
    """Read a type of rules from the command line."""
    try:
        return RuleType.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def a_group(text: str) -> GroupId:
    """Read a group, `track:0`, from the command line."""
    try:
        return GroupId.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def a_place(text: str) -> Where:
    """Read a type or a group, `track` or `track:0`, from the command line."""
    if ":" not in text:
        return Where(a_type(text))
    group = a_group(text)
    return Where(group.type, group)


force_option = click.option(
    "--force", is_flag=True, help="Change a group although Redis lost its rules, which may stream still."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    default=35.0,
    show_default=True,
    help="Seconds to wait while somebody else changes rules of the type.",
)
