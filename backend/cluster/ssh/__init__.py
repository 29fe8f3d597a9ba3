"""The SSH connection to a cluster's login node.

`hosts` determines where to connect, `host_keys` decides which keys are trusted, `login` connects
and authenticates, `connection` runs commands.
"""
