"""Code shared by all engines: lattice, schedule, samples, estimators, assembly of the result."""
