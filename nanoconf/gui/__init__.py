"""The page: a state without widgets, the panels that display it, and its server."""
