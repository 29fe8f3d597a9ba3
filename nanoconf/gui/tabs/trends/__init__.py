"""The tab Trends."""
