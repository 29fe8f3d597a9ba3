"""Constants of the dynamics, the same in every engine that integrates equations of motion."""

from __future__ import annotations

FRICTION = 0.5
"""Friction of the Langevin thermostat (1/τ of the larger ion): weak enough to let ions diffuse
across freely."""

CHAIN_LENGTH = 3
"""Links of a Nosé-Hoover chain."""

CHAIN_TIME = 0.5
"""Time in which a Nosé-Hoover chain answers (τ of the larger ion)."""
