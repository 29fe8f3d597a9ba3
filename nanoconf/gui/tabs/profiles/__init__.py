"""The tab Profiles."""
