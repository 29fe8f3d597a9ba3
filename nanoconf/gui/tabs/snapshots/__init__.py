"""The Snapshots tab."""
