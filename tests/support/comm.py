"""Messages to widgets as a browser sends them, also those that no control of the page sends."""

from __future__ import annotations

from typing import Any

from ipywidgets import Widget


def click(widget: Widget) -> None:
    """Click on a button, whether it is disabled, hidden or neither."""
    _send(widget, {"method": "custom", "content": {"event": "click"}})


def update(widget: Widget, **state: Any) -> None:
    """Change traits of a widget."""
    _send(widget, {"method": "update", "state": state, "buffer_paths": []})


def custom(widget: Widget, content: Any) -> None:
    """Send a message of the widget's own kind."""
    _send(widget, {"method": "custom", "content": content})


def _send(widget: Widget, data: dict[str, Any]) -> None:
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
