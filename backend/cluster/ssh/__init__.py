"""The SSH connection to a cluster's login node."""
