"""When credentials end, as far as that is known without asking Entra: as a figure, so that somebody is told
before the sign-in fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from shared import telemetry
from shared.auth.vault import VaultStore
from shared.settings import IdentitySettings

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
"""Seconds for one answer of the vault."""


def record_ends(identity: IdentitySettings, now: datetime) -> None:
    """Record the days that the refresh token in the vault and the certificate have left; log what cannot be
    looked up."""
    looks: dict[str, Callable[[], datetime | None]] = {}
    if identity.vault:
        looks["refresh_token"] = VaultStore(identity, _TIMEOUT).ends
    if identity.certificate:
        looks["certificate"] = lambda: certificate_ends(identity)
    for credential, look in looks.items():
        try:
            end = look()
        except Exception as error:  # a figure must not end a sweep
            log.warning("the end of the %s is not known (%s)", credential, type(error).__name__)
            continue
        if end is not None:
            telemetry.CREDENTIAL.record((end - now).total_seconds() / 86400, credential=credential)


def certificate_ends(identity: IdentitySettings) -> datetime | None:
    """When the application's certificate ends. Raises OSError, ValueError or TypeError for one that cannot be
    read."""
    from cryptography.hazmat.primitives.serialization import pkcs12
    from cryptography.x509 import load_pem_x509_certificate

    content = Path(identity.certificate).read_bytes()
    if b"-----BEGIN" in content:
        return load_pem_x509_certificate(content).not_valid_after_utc
    password = identity.certificate_password.encode() or None
    _, certificate, _ = pkcs12.load_key_and_certificates(content, password)
    return certificate.not_valid_after_utc if certificate else None
