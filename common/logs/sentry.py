"""Send errors of the log to Sentry, if the operator wants that: through the handler of its own SDK.

Only the master does, with its own records and those that come from workers. Nothing is patched, and nothing
is sent but what the log says, with secrets masked.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from traptor.common import __version__
from traptor.common.logs.mask import SecretMask

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_FLUSH_S = 2.0


def sentry_handler(dsn: str, mask: SecretMask) -> logging.Handler:
    """Return a handler that sends records of ERROR and above to `dsn`."""
    import sentry_sdk
    from sentry_sdk.integrations.logging import EventHandler

    def scrub(event: Event, _hint: Hint) -> Event:
        scrubbed: Event = _masked(event, mask)
        return scrubbed

    sentry_sdk.init(
        dsn,
        release=f"traptor-supervisor@{__version__}",
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        include_local_variables=False,  # they hold secrets
        before_send=scrub,
        shutdown_timeout=_FLUSH_S,
    )
    return EventHandler(level=logging.ERROR)


def flush_sentry() -> None:
    """Send what waits, within two seconds."""
    import sentry_sdk

    sentry_sdk.flush(_FLUSH_S)


def _masked(value: Any, mask: SecretMask) -> Any:
    """Return the value with every text in it masked."""
    match value:
        case str():
            return mask.hide(value)
        case dict():
            return {name: _masked(one, mask) for name, one in value.items()}
        case list() | tuple():
            return [_masked(one, mask) for one in value]
    return value
