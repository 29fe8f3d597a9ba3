"""Constants of the dynamics, shared by all engines that integrate equations of motion."""

from __future__ import annotations

FRICTION = 0.5
"""Friction of the Langevin thermostat (1/τ of the larger ion): too weak to slow the diffusion of
ions across the slit."""

CHAIN_LENGTH = 3
"""Number of links in a Nosé-Hoover chain."""

CHAIN_TIME = 0.5
"""Relaxation time of a Nosé-Hoover chain (τ of the larger ion)."""
