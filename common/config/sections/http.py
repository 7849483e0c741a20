"""The API over TCP."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import HostNames, Listen, Token
from traptor.common.config.kinds.tokens import NamedTokens
from traptor.common.config.options import option
from traptor.common.config.sections.section import LIVE, RESTART, Section


class HttpSection(Section):
    """The API over TCP."""

    section = "http"
    about = (
        "The API over TCP, beside the control socket in run_dir. It only reads, unless a request brings\n"
        "the token."
    )

    listen: Listen = option(
        "",
        RESTART,
        "Address to serve HTTP on; a port alone is one of 127.0.0.1. Whoever reaches it can read the status, "
        "but no tweets. Empty: only the control socket answers.",
    )
    token: Token = option(
        "",
        LIVE,
        "Secret that allows a request over TCP to change something, or to read tweets: "
        "`Authorization: Bearer TOKEN`. Empty: none may.",
        secret=True,
    )
    tokens: NamedTokens = option(
        "",
        LIVE,
        "More such secrets, each with a name, by which the history of rules names who changed them: "
        "`alice:TOKEN, nightly-load:TOKEN`.",
        secret=True,
    )
    hosts: HostNames = option(
        "",
        LIVE,
        "Names under which browsers and programs reach it, besides the address itself and localhost: those "
        "of a proxy in front of it. Requests under another name are refused.",
    )

    @property
    def names_by_token(self) -> dict[str, str]:
        """The name of each token; that of `token` itself is its option's."""
        unnamed = {self.token: "[http] token"} if self.token else {}
        return unnamed | {token: f"token {name}" for name, token in self.tokens}

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on, or None."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if self.listen else None
