"""The code that runs on this computer: submitting jobs, polling them and fetching their results."""
