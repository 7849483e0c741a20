"""The demo's keys: made up for it, known to its sandbox only, and written into its ini."""

from __future__ import annotations

from secrets import token_hex

from demo_parts.folder import DemoFolder

KEYS = 5  # three for the connections; two spare ones, through which a refresh leaves no gap


def make_accounts() -> list[dict[str, str]]:
    """The accounts, as the sandbox takes them and an ini's [key:NAME] sections have them."""
    members = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return [
        {"name": f"key-{number}", **{member: token_hex(12) for member in members}}
        for number in range(1, KEYS + 1)
    ]


def write_ini(
    folder: DemoFolder,
    redis_url: str,
    stream_url: str,
    accounts: list[dict[str, str]],
    output: dict[str, dict[str, str]],
) -> None:
    """Write the ini with the sections of `output`; relative folders in it are beside it."""
    sections = {
        **output,
        "supervisor": {
            "run_dir": folder.run.name,
            "state_dir": folder.state.name,
            "log_dir": folder.logs.name,
        },
        "redis": {"url": redis_url},
        "twitter": {"stream_url": stream_url, "connect_rate": "5"},
        "logging": {"format": "json"},
    }
    sections |= {
        f"key:{account['name']}": {name: text for name, text in account.items() if name != "name"}
        for account in accounts
    }
    folder.ini.touch(mode=0o600)
    folder.ini.write_text(
        "\n".join(
            f"[{section}]\n" + "".join(f"{name} = {text}\n" for name, text in options.items())
            for section, options in sections.items()
        )
    )
