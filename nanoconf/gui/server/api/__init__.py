"""Verbs over HTTP, beside the page: ``/api/predict``, ``/api/runs``.

The token, the check of host names and the limits of the page hold here, too. See docs/api.md and
docs/security.md.
"""
