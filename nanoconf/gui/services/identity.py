"""Identity of the person at a page: the only place where the owner of a run comes from.

A browser keeps a random key of 128 bits. Whoever knows it can act as that browser, so runs store
only its hash, which is of no use to others: `Identity.owns` compares hashes of keys. Behind a
gateway that logs users in, the hash of the user's name takes its place: see `visitor.py`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.runs.run import Run

HASHED = "sha256:"
"""Prefix of a hash. It keeps a hash apart from a plain key, so that no hash passes for a key."""

USER = b"\xff"
"""Byte before the name of a user. UTF-8 never contains it, so that no key of a browser has the hash
of a user."""


class Submitter(StrEnum):
    """Submitter of a run, as seen from a page."""

    HERE = "this browser"
    ELSEWHERE = "another browser"
    COMMAND = "command line"


@dataclass(frozen=True)
class Identity:
    """Identity of the person at a page.

    Attributes
    ----------
    owner : str
        Hash that is stored with the runs that the page submits.
    former : str
        Hash of the key that earlier versions stored with runs; empty if the browser has none. It
        identifies only the runs of those versions, because that key was published with them.
    teacher : bool
        True if the server has verified that this person is a teacher.
    """

    owner: str
    former: str = ""
    teacher: bool = False

    @classmethod
    def of_browser(cls, memory: Mapping[str, Any]) -> Identity:
        """Return the identity of a browser, from what it has stored.

        Without a key, the identity lasts as long as the page.
        """
        former = _text(memory.get("owner"))
        key = _text(memory.get("key")) or former or secrets.token_hex(16)
        return cls(_hash(key), _hash(former) if former else "")

    @classmethod
    def of_user(cls, name: str) -> Identity:
        """Return the identity of a user with a verified name, in whatever browser."""
        return cls(HASHED + sha256(USER + _bytes(name)).hexdigest())

    def owns(self, run: Run) -> bool:
        """Return True if this person submitted a run."""
        stored = _text(run.request.get("owner"))
        if stored.startswith(HASHED):
            return _equal(stored, self.owner)
        return bool(stored) and _equal(_hash(stored), self.former)

    def submitter(self, run: Run) -> Submitter:
        """Return the submitter of a run."""
        if self.owns(run):
            return Submitter.HERE
        return Submitter.ELSEWHERE if run.request.get("owner") else Submitter.COMMAND


def _hash(key: str) -> str:
    return HASHED + sha256(_bytes(key)).hexdigest()


def _equal(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
