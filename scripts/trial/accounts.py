"""Keys made up for a trial, known only to its sandbox, and the ini for the supervisor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex

import yaml

from trial.folder import TrialFolder

Account = dict[str, str]
Options = Mapping[str, Mapping[str, str]]  # by section


def make_accounts(count: int) -> list[Account]:
    """Return the accounts, in the form of the sandbox and of an ini's [key:NAME] sections."""
    members = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return [
        {"name": f"key-{number}", **{member: token_hex(12) for member in members}}
        for number in range(1, count + 1)
    ]


def write_ini(
    folder: TrialFolder,
    redis_url: str,
    accounts: Sequence[Account] = (),
    options: Options | None = None,
) -> None:
    """Write the ini with a section for each account; relative folders in it are beside it."""
    sections: dict[str, dict[str, str]] = {
        "traptor": {"output": f"jsonl:{folder.output.name}"},
        "supervisor": {
            "run_dir": folder.run.name,
            "state_dir": folder.state.name,
            "log_dir": folder.logs.name,
        },
        "redis": {"url": redis_url},
        "twitter": {"connect_rate": "5"},
        "logging": {"format": "json"},
    }
    sections |= {
        f"key:{account['name']}": {name: text for name, text in account.items() if name != "name"}
        for account in accounts
    }
    for section, more in (options or {}).items():
        sections[section] = {**sections.get(section, {}), **more}
    folder.ini.touch(mode=0o600)
    folder.ini.write_text(
        "\n".join(
            f"[{section}]\n" + "".join(f"{name} = {text}\n" for name, text in options.items())
            for section, options in sections.items()
        )
    )


def write_key_file(path: Path, accounts: Sequence[Account]) -> None:
    """Write or replace, in one step, the YAML file with the list `apikeys:`."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(yaml.safe_dump({"apikeys": list(accounts)}))
    new.replace(path)
