"""Work that takes time or leaves the page: runs, predictions, clusters."""
