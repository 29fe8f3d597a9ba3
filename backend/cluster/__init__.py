"""Runs on Slurm clusters, over SSH.

Here (`config`, `ssh`, `install`, `dispatcher`): what the keeper does. There (`agent`, `slurm`,
`task`): what runs on the cluster, with Python's standard library alone. Both talk by `wire`.
"""
