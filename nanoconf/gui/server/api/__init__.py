"""Verbs over HTTP, alongside the page: ``/api/predict``, ``/api/runs``.

The token, the check of host names and the limits of the page apply here, too. See docs/api.md and
docs/security.md.
"""
