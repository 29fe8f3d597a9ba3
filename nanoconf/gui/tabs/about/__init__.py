"""The tab About."""
