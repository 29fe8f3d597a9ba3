"""Runs on Slurm clusters, over SSH.

The code is divided by where it runs:

- `here`: on this computer, in the keeper: submit jobs, poll them, fetch their results
- `ssh`: the connection to the login node, also on this computer
- `node`: on the cluster, with Python's standard library alone

What they share lies beside these packages: `config` (which clusters there are), `resources` and
`destination` (what a run asks of a cluster), `problems`, `waiting`, `wire` (the messages between
here and there) and `package` (the worker that is installed there). `check` tests a cluster
step by step.
"""
