"""Parts that all engines share: lattice, schedule, samples, estimators, assembly of the result."""
