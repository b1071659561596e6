"""Where the refresh token is kept between processes."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Protocol

from shared.auth.secret import Secret
from shared.auth.vault import VaultStore
from shared.core.errors import TokenError
from shared.settings import IdentitySettings


class RefreshTokenStore(Protocol):
    """Keeps one refresh token. Both methods raise TokenError alone."""

    def read(self) -> Secret | None:
        """Return the token that is stored now, or None when none is."""
        ...

    def write(self, token: Secret) -> None:
        """Store `token` in place of the one before; when this returns, it outlives the process."""
        ...


class FileStore:
    """A file that its owner alone may read, replaced as a whole. For one machine, not for Azure."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> Secret | None:
        """See RefreshTokenStore; refuses a file that other users of the machine can read."""
        fault: OSError
        try:
            with self._path.open(encoding="utf-8") as file:
                self._refuse_if_open_to_others(os.fstat(file.fileno()).st_mode)
                token = Secret(file.read().strip())
        except FileNotFoundError:
            return None
        except OSError as error:
            fault = error
        else:
            return token if token.reveal() else None
        raise TokenError(f"The refresh token's file cannot be read: {fault.strerror} ({self._path}).")

    def write(self, token: Secret) -> None:
        """See RefreshTokenStore; the file appears whole or not at all, with mode 600."""
        fault: OSError
        try:
            self._replace(token)
        except OSError as error:
            fault = error
        else:
            return
        raise TokenError(f"The refresh token's file cannot be written: {fault.strerror} ({self._path}).")

    def _refuse_if_open_to_others(self, mode: int) -> None:
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TokenError(
                f"The refresh token's file can be read by other users (mode {stat.S_IMODE(mode):o}): "
                f"chmod 600 {self._path}, and consent anew if anybody may have read it."
            )

    def _replace(self, token: Secret) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(token.reveal())
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            os.unlink(name)
            raise


def open_store(identity: IdentitySettings, timeout: float) -> RefreshTokenStore:
    """Return the store that the settings name; nothing is opened or asked yet."""
    return VaultStore(identity, timeout) if identity.vault else FileStore(identity.token_file)
