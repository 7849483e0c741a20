"""Generate docs/configuration.md: tables of the options, and the rules that apply to all of them."""

from __future__ import annotations

from traptor.common.config.options import Option
from traptor.common.config.sections.section import Section
from traptor.common.config.sections.table import SECTIONS

_HEAD = """\
# Configuration

<!-- Generated: python -m traptor.common.config.sample docs > docs/configuration.md -->

Traptor reads one ini file, and the files that it names:

    traptor-supervisor -c traptor.ini --check     # report every problem, and exit
    traptor-supervisor -c traptor.ini

The [sample](../traptor.ini) has every option with its meaning. Only `output` must be set; all others have
defaults. Mistakes are never ignored: an unknown section or option, a value that cannot be read, and an
option that is set twice are problems. All problems are reported at once, with file and line, and the exit
code is 78.

## How values are written

| kind | examples | |
| --- | --- | --- |
| a duration | `250ms` `30s` `1.5m` `1h` `2d` | the unit is required; more than 0, at most 366 days |
| a size | `0` `4096` `64K` `64M` `1G` | bytes; K, M and G are powers of 1024 |
| a list | `track:0, follow:*` | separated by commas; may continue in indented lines |
| yes or no | `yes` `no` `true` `false` `on` `off` | |
| a folder or file | `logs` `/var/log/traptor` | relative to the ini's folder |

- Lines that begin with `#` or `;` are comments. A comment cannot follow a value, as `#`
  may be part of a password.
- Option names may be written in upper or lower case, section names only in lower case.
- `${VAR}` stands for an environment variable, and `${file:PATH}` for the text of a file without the white
  space around it (PATH is relative to the ini's folder). Both may be part of a value. A variable or file that
  does not exist is a problem. For a plain `${` write `$${`.
- Files must be regular files, UTF-8, and at most 1 MiB. Variables must be UTF-8 too, and so must the name of
  the ini's folder.

## What a reload does

`SIGHUP` makes the supervisor read everything again, and so does a change of the ini, of the key file or of a
`${file:PATH}`, whether it is edited in place, replaced by a rename or swapped by a symlink. A configuration
with a problem changes nothing: running streams continue, and the log says where the problem is. Otherwise
each changed option takes effect as its table says:

| | |
| --- | --- |
| live | takes effect at once |
| refresh | workers are replaced one after the other, without a gap where the keys allow it |
| restart | is reported, and takes effect at the next start of the supervisor; all other changes are applied |

## Options
"""

_TABLE_HEAD = "| option | default | allowed values | reload | meaning |\n| --- | --- | --- | --- | --- |"

_TAIL = """\
## Keys

A key is one set of credentials. Keys stand in sections `[key:NAME]` of the ini, in a YAML file that
`[keys] file` names, or in both: they form one pool, their order means nothing, and any key serves any rules.

| member | |
| --- | --- |
| `consumer_key` `consumer_secret` `access_token` `access_token_secret` | the four parts that API v1.1 needs |
| `bearer_token` | what API v2 needs; without it, it is fetched with `consumer_key` and `consumer_secret` |
| `groups` | the groups that the key's app serves with API v2, such as `follow:*, track:3` |
| `source_address` | the IP address of this host to connect from; by default the system chooses |
| `proxy` | `http://`, `https://`, `socks4://`, `socks4a://`, `socks5://` or `socks5h://`, host and port |
| `max_connections` | how many streams the key may hold at once, 1 to 50; by default 1 |

    [key:first]
    consumer_key = ${TRAPTOR_CONSUMER_KEY}
    consumer_secret = ${file:/run/secrets/traptor-consumer-secret}
    access_token = 12345-AbCdEfGhIjKlMnOpQrStUvWxYz
    access_token_secret = ${file:/run/secrets/traptor-token-secret}

The YAML file may be one from Ansible's group_vars: only the list `apikeys` is read, other variables are
ignored. Here a key may also have a `name`. `${VAR}` has no meaning in this file. Templates (`{{ ... }}`),
vaults, merges (`<<`) and members that are not in the table are problems.

    apikeys:
      - name: second
        consumer_key: AbCdEfGhIjKlMnOpQrStUvWxY
        consumer_secret: "..."
        access_token: 12345-AbCdEfGhIjKlMnOpQrStUvWxYz
        access_token_secret: "..."
        source_address: 192.0.2.7

- A name consists of `A-Z a-z 0-9 _ -` and is unique. A key without a name is called `key-` and its id:
  8 hex digits derived from consumer key and access token. Budgets and quarantines belong to the id, so they
  survive a new name and new secrets.
- The same key twice is a problem. Two keys of one app (the same `consumer_key`) are a warning: they share
  its limits.
- An empty credential, one in quotes and a placeholder (`YOUR_INFO`, `changeme`, `xxx`, ...) are problems.
- A file with secrets that others than its owner can open causes a warning; `chmod 600` it.
- Without any key the supervisor starts and waits for one.
- With API v2 a key is an app of X. A single key serves all groups. Of several keys, each has `groups`, and a
  group that two of them claim, or none, is a problem: X's policy allows one app for one use case, so which
  groups form a use case is your decision. Two keys of one app are a problem too.

Secrets appear in no message, log or process title. Messages about a key name its place in the file,
never its value.
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
