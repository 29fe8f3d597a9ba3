"""The page: a state without widgets, panels that show it, and what starts it."""
