"""Tabs of the page: one folder each, with a model and a panel."""
