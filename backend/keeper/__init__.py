"""The keeper: a background process that looks after the runs of a home.

It starts workers on this computer (`local_runs`), dispatchers for clusters (`backend.cluster`) and
the retraining of the surrogate (`learning`). It is the top layer of `backend`: keeper > cluster >
runs > engines. Pages and commands use `election` and `logins` only.
"""
