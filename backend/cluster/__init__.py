"""Runs on Slurm clusters, over SSH.

The code is divided by where it runs:

- `here`: on this computer, in the keeper: submits jobs, polls them, fetches their results
- `ssh`: the connection to the login node, also on this computer
- `node`: on the cluster, using only Python's standard library

Shared code is in this folder: `config` (the configured clusters), `resources` and `destination`
(the resources that a run requests from a cluster), `problems`, `waiting`, `wire` (the messages
between this computer and the cluster) and `package` (the worker that is installed there). `check`
tests a cluster step by step.
"""
