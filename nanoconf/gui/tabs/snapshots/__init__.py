"""The tab Snapshots."""
