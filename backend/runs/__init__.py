"""Runs: folders, archive, the worker that executes one, the keeper that starts workers."""
