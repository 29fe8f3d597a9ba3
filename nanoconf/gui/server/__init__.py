"""Protection of the page's server: who may open the page, how many, and what they may send.

`gate.py` puts it in front of Voila, for ``nanoconf app`` and for plain ``voila app.ipynb`` alike.
See docs/security.md.
"""
