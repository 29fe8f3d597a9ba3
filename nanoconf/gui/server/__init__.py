"""Protection of the page's server: who may open it, how many pages may be open, what they may send.

`gate.py` puts it in front of Voila, for ``nanoconf app`` and for plain ``voila app.ipynb`` alike.
See docs/security.md.
"""
