"""The tab Downloads."""
