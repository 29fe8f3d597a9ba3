"""Access token of the page: where it comes from."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

TOKEN, TOKEN_FILE = "NANOCONF_TOKEN", "NANOCONF_TOKEN_FILE"


class TokenError(ValueError):
    """The configured token cannot be used; the message says why, without the token."""


def configured_token(variable: str = TOKEN, path: str = "", shortest: int = 1) -> str | None:
    """Return a token from the environment, or from a file; None if there is none.

    Parameters
    ----------
    variable : str
        Environment variable with the token; with ``_FILE`` appended, the one that names a file.
    path : str
        The file, instead of that in the environment.
    shortest : int
        Minimum number of characters.

    Raises
    ------
    TokenError
        If it is empty or too short, or the file cannot be read.
    """
    in_file = f"{variable}_FILE"
    path = path or os.environ.get(in_file, "")
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            if isinstance(error, PermissionError):
                reason += "; let the user who starts the page read the file"
            raise TokenError(f"Cannot read the token in {path} ({in_file}): {reason}.") from None
        return _checked(text, f"the file {path} ({in_file})", shortest)
    if variable in os.environ:
        return _checked(os.environ[variable], variable, shortest)
    return None


def _checked(text: str, source: str, shortest: int) -> str:
    token = text.strip()
    if not token or any(character.isspace() for character in token) or not token.isascii():
        raise TokenError(
            f"The token in {source} must be one word of ASCII characters. "
            "Create one with: openssl rand -hex 24"
        )
    if len(token) < shortest:
        raise TokenError(f"The token in {source} must have at least {shortest} characters.")
    return token


def take_configured_token() -> str | None:
    """Return the configured token, and hide it from the processes that this one starts."""
    token = configured_token()
    os.environ.pop(TOKEN, None)
    return token


def new_token() -> str:
    """Return a random token of 192 bits."""
    return secrets.token_hex(24)


def digest(token: str) -> str:
    """Return the hash of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(given: str, token: str) -> bool:
    """Compare tokens in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())
