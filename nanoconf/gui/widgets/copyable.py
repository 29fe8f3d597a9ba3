"""A text that a button copies, and a button that copies a link to the page."""

from __future__ import annotations

from pathlib import Path

from anywidget import AnyWidget
from traitlets import Bool, Unicode


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
    link = Bool(False).tag(sync=True)


class CopyLink(Copyable):
    """A button that copies a link. If the browser refuses, it shows the link.

    Attributes
    ----------
    text : str
        Query of the link, with its question mark; the browser adds the address of the page. The
        button is disabled while it is empty.
    label : str
        Explanation of the button.
    hides : bool
        Hide the button while it is disabled.
    """

    link = Bool(True).tag(sync=True)
    hides = Bool(False).tag(sync=True)
