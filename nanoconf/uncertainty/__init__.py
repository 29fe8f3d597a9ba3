"""Propagation of uncertain inputs to the profiles, and Sobol indices."""

from nanoconf.uncertainty.propagation import Uncertainty as Uncertainty
from nanoconf.uncertainty.propagation import propagate as propagate
from nanoconf.uncertainty.sobol import Gaussian as Gaussian
from nanoconf.uncertainty.sobol import Uniform as Uniform
