"""Runs on clusters: on Slurm over SSH, or through ``submit``, the command of a hub.

The code is divided by where it runs:

- `here`: on this computer, in the keeper: submits jobs, polls them, fetches their results
- `ssh`: the connection to the login node, also on this computer
- `submit`: the other way, for clusters behind the command of a hub
- `node`: on the cluster, using only Python's standard library

Shared code is in this folder: `config` (the configured clusters), `resources` and `destination`
(the resources that a run requests from a cluster), `problems`, `waiting`, `wire` (the messages
between this computer and the cluster) and `package` (the worker that is installed there). `check`
tests a cluster step by step.
"""
