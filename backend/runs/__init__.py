"""Runs: the run folder, the archive, the worker that executes a run, and how to start one here."""
