"""The tab Uncertainty."""
