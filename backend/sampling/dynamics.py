"""Constants of the dynamics, shared by all engines that integrate equations of motion."""

from __future__ import annotations

FRICTION = 0.5
"""Friction of the Langevin thermostat (1/τ of the larger ion): too weak to slow the diffusion of
ions across the slit."""

CHAIN_LENGTH = 3
"""Number of links in a Nosé-Hoover chain."""

CHAIN_TIME = 0.5
"""Relaxation time of a Nosé-Hoover chain (τ of the larger ion)."""

SKIN = 0.5
"""Margin of a neighbour list, in diameters of the larger ion."""

RELAXATION_STEPS = 200
"""Number of steps of steepest descent that remove overlaps in the initial configuration."""

RELAXATION_MOBILITY = 0.002
"""Displacement in such a step per force (nm²/k_BT)."""

LARGEST_RELAXATION = 0.01
"""Largest displacement in such a step, in diameters of the smaller ion."""
