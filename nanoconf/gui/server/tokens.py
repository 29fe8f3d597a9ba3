"""Access token of the page: where it comes from."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

TOKEN, TOKEN_FILE = "NANOCONF_TOKEN", "NANOCONF_TOKEN_FILE"


class TokenError(ValueError):
    """The configured token cannot be used; the message says why, without the token."""


def configured_token() -> str | None:
    """Return the token of the environment, or of the file named there; None if there is none.

    Raises
    ------
    TokenError
        If it is empty, or the file cannot be read.
    """
    path = os.environ.get(TOKEN_FILE)
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise TokenError(f"Cannot read the token in {path} ({TOKEN_FILE}): {reason}.") from None
        return _checked(text, f"the file {path} ({TOKEN_FILE})")
    if TOKEN in os.environ:
        return _checked(os.environ[TOKEN], TOKEN)
    return None


def _checked(text: str, source: str) -> str:
    token = text.strip()
    if not token or any(character.isspace() for character in token) or not token.isascii():
        raise TokenError(
            f"The token in {source} must be one word of ASCII characters. "
            "Create one with: openssl rand -hex 24"
        )
    return token


def take_configured_token() -> str | None:
    """Return the configured token, and hide it from the processes that this one starts."""
    token = configured_token()
    os.environ.pop(TOKEN, None)
    return token


def new_token() -> str:
    """Return a random token of 192 bits."""
    return secrets.token_hex(24)


def same(given: str, token: str) -> bool:
    """Compare tokens in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())
