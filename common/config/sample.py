"""Print the sample traptor.ini, made from the option table: every option with its meaning and default.

`python -m traptor.common.config.sample ini|docs` prints it, or docs/configuration.md.
"""

from __future__ import annotations

import argparse
import sys
import textwrap

from traptor.common.config.docs import configuration_page
from traptor.common.config.options import Option
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.table import SECTIONS

_WIDTH = 100

_HEAD = """\
Traptor's settings. Check them with: traptor-supervisor -c traptor.ini --check

Every option is here. A line such as `# level = INFO` shows the default; take the # away to set
another value. Comments have lines of their own. Durations: 250ms, 30s, 5m, 1h, 2d. Sizes: bytes, or
64K, 64M, 1G. ${VAR} in a value is a variable of the environment, ${file:PATH} the text of a file,
$${ a plain ${.

In brackets after each meaning: what may stand there; and what a reload (SIGHUP, or saving this
file) does with a change: live, it counts at once; refresh, workers are replaced, without a gap
where the keys allow it; restart, it waits until the supervisor is started anew.

Generated: python -m traptor.common.config.sample ini"""

_KEYS = """\
The keys: a section for each, or the YAML file that [keys] names, or both. Any key serves any rules.

[key:first]
consumer_key = ${TRAPTOR_CONSUMER_KEY}
consumer_secret = ${file:/run/secrets/traptor-consumer-secret}
access_token = 12345-AbCdEfGhIjKlMnOpQrStUvWxYz
access_token_secret = ${file:/run/secrets/traptor-token-secret}
# An address of this host to connect from, and a proxy; by default neither:
source_address = 192.0.2.7
proxy = http://user:password@proxy.example:3128
# How many streams the key may hold at once:
max_connections = 1
# With api = v2 a bearer token is enough, and so are consumer_key and consumer_secret. Of several
# keys, each says which groups its app serves:
bearer_token = ${file:/run/secrets/traptor-bearer-token}
groups = follow:*, track:3"""


def sample_ini() -> str:
    """Return the text of the sample."""
    parts = [_comment(_HEAD), *(_section(section) for section in SECTIONS), _comment(_KEYS)]
    return "\n\n\n".join(parts) + "\n"


def _section(section: type[Section]) -> str:
    return "\n\n".join([f"[{section.section}]\n{_comment(section.about)}", *map(_option, section.options())])


def _option(option: Option) -> str:
    meaning = "\n".join(textwrap.wrap(option.meaning, _WIDTH))
    text = f"{meaning}\n({option.allowed.text}; {option.reload})".replace("`", "")
    line = f"{option.key} = {option.sample}".rstrip()
    return f"{_comment(text)}\n{line if option.default is None else _comment(line)}"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.split("\n"))


TEXTS = {"ini": sample_ini, "docs": configuration_page}


def main() -> None:
    """Print the sample traptor.ini or docs/configuration.md."""
    parser = argparse.ArgumentParser(prog="python -m traptor.common.config.sample", description=main.__doc__)
    parser.add_argument("what", choices=TEXTS)
    sys.stdout.write(TEXTS[parser.parse_args().what]())


if __name__ == "__main__":
    main()
