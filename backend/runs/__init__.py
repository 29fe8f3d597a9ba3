"""Runs: the run folder, the archive, the worker that executes a run, and its local start."""
