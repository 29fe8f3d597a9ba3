"""Engines: the programs that compute a run."""
