"""Code that runs on the cluster, using only Python's standard library.

On the login node, `agent` answers one request and exits; it uses `submission`, `folders`, `slurm`
and `job_script`. In a job, `task` starts one worker after another. `load_engines` tests the
installation.
"""
