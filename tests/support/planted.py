"""A secret to plant, and where to look for it."""

from __future__ import annotations

import traceback

SECRET = "s3cr3tS3NT1NEL"


def everything_shown(error: BaseException) -> str:
    """All that a log or a person could be shown of an error and of what led to it."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    shown = [f"{link!r} {link}" for link in chain]
    return "\n".join([*shown, *traceback.format_exception(error)])
