"""Sampling, shared by all engines: start, schedule, estimators, convergence, summary."""
