"""Panels of the page.

Each displays the state, and calls methods of the state or of `Work`; none depends on another.
"""
