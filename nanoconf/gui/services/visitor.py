"""Person at a page, as verified by the server: the name of the user, and the role.

The server passes both to the kernel of a page when it starts it. Messages from the browser change
neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nanoconf.gui.services.identity import Identity

USER, ROLE = "NANOCONF_USER", "NANOCONF_ROLE"
"""Environment variables of a kernel. No process that the kernel starts inherits them."""


class Role(StrEnum):
    """Role of a person on a server with a teacher's view; ``NONE`` on other servers."""

    NONE = ""
    STUDENT = "student"
    TEACHER = "teacher"


@dataclass(frozen=True)
class Visitor:
    """Person at a page.

    Attributes
    ----------
    user : str
        Name of the user, from a trusted proxy; empty if there is none.
    role : Role
        The role.
    """

    user: str = ""
    role: Role = Role.NONE

    @classmethod
    def of_process(cls) -> Visitor:
        """Take the visitor of this kernel from its environment."""
        user, role = os.environ.pop(USER, ""), os.environ.pop(ROLE, "")
        return cls(user, Role(role) if role in [*Role] else Role.NONE)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of the kernel of this visitor's page."""
        return {USER: self.user, ROLE: self.role}

    def identity(self, memory: Mapping[str, Any]) -> Identity:
        """Return the identity: that of the user, else that of a browser with this memory."""
        found = Identity.of_user(self.user) if self.user else Identity.of_browser(memory)
        return replace(found, teacher=self.role is Role.TEACHER)


NOBODY = Visitor()
"""Someone of whom the server knows nothing."""
