"""The tab Runs."""
