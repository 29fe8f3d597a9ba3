"""Services of the page that run in the background: runs, predictions, clusters."""
