"""Panels of the page. Each displays the state and calls it or `Work`; none depends on another."""
