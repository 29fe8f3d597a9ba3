"""Code that runs on this computer, in one thread of the keeper per cluster.

`dispatcher` is the thread and its loop. Each of its steps is a module: `gather` (runs into
jobs), `submit`, `cancel`, `poll`, `fetch` and `clean_up`. They share the `state`: the open runs
(`remote_run`), their `jobs` and the connection to the cluster's agent: one of `clients`, such as
`agent_client` over SSH, which `install` installs there. `endings` explains how jobs ended;
`intervals` determines when to poll again.
"""
