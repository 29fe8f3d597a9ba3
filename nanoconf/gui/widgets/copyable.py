"""A text that a button copies."""

from __future__ import annotations

from pathlib import Path

from anywidget import AnyWidget
from traitlets import Unicode


class Copyable(AnyWidget):
    """A text with a Copy button; hidden while the text is empty.

    Attributes
    ----------
    text : str
        The text.
    label : str
        Its name for screen readers.
    """

    _esm = Path(__file__).with_name("copyable.js")

    text = Unicode().tag(sync=True)
    label = Unicode().tag(sync=True)
