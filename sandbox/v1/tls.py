"""TLS with the sandbox's own certificate authority."""

from __future__ import annotations

import ssl
from pathlib import Path

from traptor.sandbox.errors import BadInput


def tls_context(host: str, ca_file: Path) -> ssl.SSLContext:
    """Return a server's context, and write the certificate that vouches for `host`. Raises BadInput."""
    try:
        import trustme  # nothing else of the sandbox needs it, and the image lacks it
    except ModuleNotFoundError:
        raise BadInput('TLS needs the package trustme: pip install ".[sandbox]"') from None
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    try:
        authority.cert_pem.write_to_path(str(ca_file))
    except OSError as problem:
        raise BadInput(f"cannot write {ca_file}: {problem.strerror}") from None
    return context
