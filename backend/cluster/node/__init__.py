"""The code that runs on the cluster; it needs only Python's standard library."""
