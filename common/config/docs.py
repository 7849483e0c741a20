"""Generate docs/configuration.md: tables of the options, and the rules that apply to all of them."""

from __future__ import annotations

from traptor.common.config.options import Option
from traptor.common.config.sections import SECTIONS, Section

_HEAD = """\
# Configuration

<!-- Generated: python -m traptor.common.config.sample docs > docs/configuration.md -->

Traptor reads one ini file, and the files that it names:

    traptor-supervisor -c traptor.ini --check     # says everything that is wrong, and exits
    traptor-supervisor -c traptor.ini

The [sample](../traptor.ini) has every option with its meaning. Only `output` must be set; all others have
defaults. A mistake never passes silently: an unknown section or option, a value that cannot be read, or one
set twice is a problem, and all problems are reported at once with file and line. Exit code 78 then.

## How values are written

| kind | examples | |
| --- | --- | --- |
| a duration | `250ms` `30s` `1.5m` `1h` `2d` | the unit is required; more than 0, at most 366 days |
| a size | `0` `4096` `64K` `64M` `1G` | bytes; K, M and G are powers of 1024 |
| a list | `track:0, follow:*` | separated by commas; may go on in indented lines |
| yes or no | `yes` `no` `true` `false` `on` `off` | |
| a folder or file | `logs` `/var/log/traptor` | relative to the ini's folder |

- Lines that begin with `#` or `;` are comments. There are none behind a value: `#` may be part of a password.
- Names of options may be in upper or lower case, names of sections only in lower case.
- `${VAR}` stands for a variable of the environment, and `${file:PATH}` for the text of a file without the
  white space around it (PATH is relative to the ini's folder). Both may be a part of a value. What does not
  exist is a problem. For a plain `${` write `$${`.
- Files are UTF-8, regular files, and at most 1 MiB large.

## What a reload does

`SIGHUP` reads everything again, and so does a change of the ini, of the key file or of a `${file:PATH}`,
whether it is edited in place, renamed over or swapped by a symlink. A configuration with a problem changes
nothing: what runs goes on, and the log says where it is broken. Otherwise each option that changed does what
its table says:

| | |
| --- | --- |
| live | counts at once |
| refresh | workers are replaced one after the other, without a gap where the keys allow it |
| restart | is reported and waits until the supervisor is started anew; the other changes count |

## Options
"""

_TABLE_HEAD = (
    "| option | default | what may stand there | reload | meaning |\n| --- | --- | --- | --- | --- |"
)

_TAIL = """\
## Keys

A key is one set of credentials. Keys stand in sections `[key:NAME]` of the ini, in a YAML file that
`[keys] file` names, or in both: they are one pool, their order means nothing, and any key serves any rules.

| member | |
| --- | --- |
| `consumer_key` `consumer_secret` `access_token` `access_token_secret` | the four parts that API v1.1 needs |
| `bearer_token` | for API v2; a key that has only this one is not used here, and a warning says so |
| `source_address` | the IP address of this host to connect from; by default the system chooses |
| `proxy` | `http://`, `https://`, `socks4://`, `socks4a://`, `socks5://` or `socks5h://`, host and port |
| `max_connections` | how many streams the key may hold at once, 1 to 50; by default 1 |

    [key:first]
    consumer_key = ${TRAPTOR_CONSUMER_KEY}
    consumer_secret = ${file:/run/secrets/traptor-consumer-secret}
    access_token = 12345-AbCdEfGhIjKlMnOpQrStUvWxYz
    access_token_secret = ${file:/run/secrets/traptor-token-secret}

The YAML file is one that Ansible's group_vars may have: of its variables only the list `apikeys` is read.
There a key may have a `name`, too. `${VAR}` has no meaning in it. Templates (`{{ ... }}`), vaults and merges
(`<<`) are problems, and so is a member that is not in the table.

    apikeys:
      - name: second
        consumer_key: AbCdEfGhIjKlMnOpQrStUvWxY
        consumer_secret: "..."
        access_token: 12345-AbCdEfGhIjKlMnOpQrStUvWxYz
        access_token_secret: "..."
        source_address: 192.0.2.7

- A name is made of `A-Z a-z 0-9 _ -` and stands for one key only. A key without one is called `key-` and its
  id: 8 hex digits made of consumer key and access token. Budgets and quarantines belong to the id, so they
  survive a new name and renewed secrets.
- The same key twice is a problem. Two keys of one app (the same `consumer_key`) are a warning: they share
  its limits.
- An empty credential, one in quotes and a placeholder (`YOUR_INFO`, `changeme`, `xxx`, ...) are problems.
- A file with secrets that others than its owner may open is a warning; `chmod 600` it.
- Without any key the supervisor runs and waits for one.

Secrets appear in no message, log or process title. Messages about a key name its place and never its value.
"""


def configuration_page() -> str:
    """Return the text of docs/configuration.md."""
    return "\n".join([_HEAD, *map(_section, SECTIONS), _TAIL])


def _section(section: type[Section]) -> str:
    rows = "\n".join(map(_row, section.options()))
    return f"### [{section.section}]\n\n{section.about}\n\n{_TABLE_HEAD}\n{rows}\n"


def _row(option: Option) -> str:
    default = "must be set" if option.default is None else f"`{option.default}`" if option.default else ""
    cells = (f"`{option.key}`", default, option.allowed.text, option.reload, option.meaning)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
