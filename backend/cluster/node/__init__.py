"""Code that runs on the cluster, with Python's standard library alone.

On the login node, `agent` answers one request and ends; it uses `submission`, `folders`, `slurm`
and `script`. In a job, `task` starts one worker after another. `load_engines` tests the
installation.
"""
