"""The page without a browser: the requests and messages of a browser, over HTTP and a websocket.

It serves tests of many pages and the benchmark of a class, for which browsers are too expensive.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from nanoconf.gui.server.places import POLL_SECONDS
from tests.support.homes import PATIENCE
from tests.support.web import PROTOCOL, frame

STAGE = (880, 620)
"""Space for a figure (CSS pixels) in a window of 1280 × 800."""

PULSE_SECONDS, SILENCE_SECONDS = 2.0, 20.0
"""Interval of the pulses of a page, and time without an answer after which it is lost."""

CONTROL = "jupyter.widget.control"
REFERENCE = "IPY_MODEL_"
CURVES = "data-curves='([^']*)'"


class Waiting(Exception):
    """Raised if all places are taken: the page is the queue; the message is its line."""


class HeadlessPage:
    """A page as a browser keeps it: the models of its widgets, updated by the kernel's messages.

    Parameters
    ----------
    url : str
        Address of the server.
    memory : dict, optional
        What this browser stored, such as its key; a reload takes it along.

    Attributes
    ----------
    kernel : str
        Id of the kernel.
    models : dict
        State of each widget, by its id, with the name of its class as ``_model_name``.
    images : int
        Number of images of figures received.
    lost : bool
        True once the connection has ended.
    """

    def __init__(self, url: str, memory: dict[str, Any] | None = None):
        self.url = url.rstrip("/")
        self.memory: dict[str, Any] = memory if memory is not None else {}
        self.kernel = ""
        self.models: dict[str, dict[str, Any]] = {}
        self.images = 0
        self.lost = False
        self._socket: WebSocketClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._heard = 0.0
        self._control = self._question = self._cookie = self._numbers = ""
        self._drawing: set[str] = set()
        self._pending: dict[str, str] = {}  # widget of each change that the kernel is handling
        self._held: dict[str, dict[str, Any]] = {}  # changes that wait for it

    # --- opening and closing ------------------------------------------------------------------

    async def open(self) -> HeadlessPage:
        """Load the page, and wait until it has its widgets."""
        await self.load()
        await self.connect()
        return self

    async def load(self) -> None:
        """Request the page, which starts its kernel.

        Raises
        ------
        Waiting
            All places are taken.
        """
        answer = await self._request("/", headers={"Cookie": self._cookie})
        body = answer.body.decode()
        if answer.code == 503:
            self._question = _found(r'(/queue\?ticket=[\w-]+)"', body)
            raise Waiting(_found(r'id="place"[^>]*>([^<]*)<', body))
        kernel = re.search(r'"kernelId": "([\w-]+)"', body)
        if answer.code != 200 or not kernel:  # the kernel was killed
            raise ConnectionError(f"{answer.code}: {body[:2000]}")
        self.kernel = kernel[1]

    async def wait_for_place(self) -> None:
        """Ask for a place as the queue's page does, until one is reserved for this page."""
        while True:
            answer = await self._request(self._question)
            answer.rethrow()
            if json.loads(answer.body)["ahead"] is None:
                self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
                return
            await asyncio.sleep(POLL_SECONDS)

    async def connect(self) -> None:
        """Connect to the kernel, fetch the widgets, and report the opened page."""
        address = f"ws{self.url[4:]}/api/kernels/{self.kernel}/channels"
        request = HTTPRequest(address, connect_timeout=PATIENCE, request_timeout=PATIENCE)
        try:
            self._socket = await websocket_connect(request, subprotocols=[PROTOCOL])
        except HTTPError as error:  # the kernel was killed
            raise ConnectionError(str(error)) from error
        self._tasks.append(asyncio.create_task(self._listen()))
        self._send("kernel_info_request")
        self._control = new_id()
        opening = {"comm_id": self._control, "target_name": CONTROL, "data": {}}
        self._send("comm_open", opening, metadata={"version": "1.0.0"})
        self._message(self._control, {"method": "request_states"})
        await self.until(lambda: self.models, "the widgets")
        self.memory.setdefault("key", new_id())
        browser = self.find("AnyModel", "memory")
        self.change(browser, stage=list(STAGE))
        self.custom(browser, {"type": "opened", "memory": {**self.memory, "search": ""}})
        self._tasks.append(asyncio.create_task(self._pulse(browser)))

    async def close(self) -> None:
        """Close the page as a browser does, which ends its kernel."""
        await self.vanish()
        with suppress(OSError):
            await self._request(
                f"/voila/api/shutdown/{self.kernel}",
                method="POST",
                body=urlencode({"_xsrf": "abc"}),
                headers={"Cookie": "_xsrf=abc"},
            )

    async def vanish(self) -> None:
        """Disconnect without a message, as when a computer loses its network."""
        for task in self._tasks:
            task.cancel()
        if self._socket is not None:
            self._socket.close()

    async def _request(self, path: str, **options: Any) -> Any:
        """Send a request; return the answer, of whatever status."""
        client = AsyncHTTPClient(force_instance=True)
        patience: dict[str, Any] = {"connect_timeout": PATIENCE, "request_timeout": PATIENCE}
        try:
            request = HTTPRequest(self.url + path, **patience, **options)
            return await client.fetch(request, raise_error=False)
        except HTTPError as error:  # the server was killed
            raise ConnectionError(str(error)) from error
        finally:
            client.close()

    # --- waiting ------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until a condition holds, which is checked after every message.

        Raises
        ------
        ConnectionError
            The connection has ended.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            for task in self._tasks:
                if task.done():
                    task.result()  # raises its error
            if self.lost:
                raise ConnectionError(f"the connection ended before {what}")
            left = deadline - time.monotonic()
            assert left > 0, f"waited {PATIENCE:g} s in vain: {what}"
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    # --- reading ------------------------------------------------------------------------------

    def find(self, name: str, key: str, value: Any = None) -> str:
        """Return the id of the widget of a class that has a key, and a value if one is given."""
        for each, state in self.models.items():
            if state["_model_name"] == name and key in state and value in (None, state[key]):
                return each
        raise LookupError(f"no {name} with {key} = {value!r}")

    def field(self, label: str) -> str:
        """Return the id of a text field."""
        return self.find("TextModel", "description", label)

    def button(self, words: str) -> str:
        """Return the id of a button."""
        return self.find("ButtonModel", "description", words)

    def slider(self, label: str) -> str:
        """Return the id of the slider of a field."""
        field = REFERENCE + self.field(label)
        panel = next(s for s in self.models.values() if field in (s.get("children") or ()))
        return next(
            each for each in self._inside(panel) if "Slider" in self.models[each]["_model_name"]
        )

    def _inside(self, state: dict[str, Any]) -> Iterator[str]:
        for reference in state.get("children") or ():
            child = reference.removeprefix(REFERENCE)
            yield child
            yield from self._inside(self.models[child])

    def text(self, label: str) -> str:
        """Return the text of a field."""
        return self.models[self.field(label)]["value"]

    def texts(self, html_class: str) -> list[str]:
        """Return the HTML of the widgets with a class name."""
        return [
            state["value"]
            for state in self.models.values()
            if html_class in state.get("_dom_classes", ()) and "value" in state
        ]

    def curves(self) -> list[dict[str, Any]]:
        """Return the curves of the figure that was drawn last; empty before there is one."""
        found = re.search(CURVES, self._numbers)
        return json.loads(unescape(found[1])) if found else []

    def shows(self, source: str) -> bool:
        """Return True if the figure has a curve of a source for the current inputs."""
        return any(
            curve["source"] == source and not curve["stale"] and "so far" not in curve["label"]
            for curve in self.curves()
        )

    # --- acting -------------------------------------------------------------------------------

    def change(self, model: str, **values: Any) -> None:
        """Change a widget as its user does.

        As in ipywidgets, a change waits while the kernel handles the previous one of the widget.
        """
        self.models[model].update(values)
        if model in self._pending.values():
            self._held.setdefault(model, {}).update(values)
        else:
            self._pass_on(model, values)

    def tab(self, title: str) -> None:
        """Select a tab."""
        self.change(self.find("AnyModel", "kind", "tabs"), value=title)

    def move(self, label: str, position: int) -> None:
        """Move the slider of a field."""
        self.change(self.slider(label), value=position)

    def type(self, label: str, text: str) -> None:
        """Replace the text of a field."""
        self.change(self.field(label), value=text)

    def click(self, words: str) -> None:
        """Click a button; changes that wait are sent first, as by browser.js."""
        for model, values in list(self._held.items()):
            del self._held[model]
            self._pass_on(model, values)
        self.custom(self.button(words), {"event": "click"})

    def custom(self, model: str, content: dict[str, Any]) -> None:
        """Send a custom message of a widget."""
        self._message(model, {"method": "custom", "content": content})

    def _pass_on(self, model: str, values: dict[str, Any]) -> None:
        data = {"method": "update", "state": values, "buffer_paths": []}
        self._pending[self._message(model, data)] = model

    def _message(self, comm: str, data: dict[str, Any]) -> str:
        return self._send("comm_msg", {"comm_id": comm, "data": data})

    def _send(self, kind: str, content: dict[str, Any] | None = None, **options: Any) -> str:
        message = new_id()
        assert self._socket is not None
        with suppress(WebSocketClosedError):
            self._socket.write_message(frame(kind, content, id=message, **options), binary=True)
        return message

    async def _pulse(self, browser: str) -> None:
        self._heard = time.monotonic()
        while time.monotonic() - self._heard < SILENCE_SECONDS:
            self.custom(browser, {"type": "pulse"})
            await asyncio.sleep(PULSE_SECONDS)
        self._lose()

    def _lose(self) -> None:
        self.lost = True
        self._news.set()

    # --- messages of the kernel ---------------------------------------------------------------

    async def _listen(self) -> None:
        assert self._socket is not None
        while (message := await self._socket.read_message()) is not None:
            assert isinstance(message, bytes)
            self._receive(parts_of(message))
            self._news.set()
        self._lose()

    def _receive(self, parts: list[bytes]) -> None:
        kind = json.loads(parts[1])["msg_type"]
        if kind == "status" and b'"idle"' in parts[4]:
            self._handled(json.loads(parts[2]).get("msg_id", ""))
        elif kind == "status" and (b'"restarting"' in parts[4] or b'"dead"' in parts[4]):
            self._lose()
        elif kind in ("comm_open", "comm_msg"):
            content = json.loads(parts[4])
            comm, data = content["comm_id"], content["data"]
            if kind == "comm_open":
                self._add(comm, data["state"])
            elif comm == self._control:
                for model, about in data["states"].items():
                    self._add(model, about["state"])
                if not self.models:  # the kernel was killed, and an empty one replaces it
                    self._lose()
            elif data["method"] == "update" and comm in self.models:
                self._update(comm, data["state"])
            elif data["method"] == "custom":
                self._custom(comm, data["content"], parts[5:])

    def _handled(self, message: str) -> None:
        """Send what was held back while the kernel handled a change."""
        model = self._pending.pop(message, None)
        if model is not None and model in self._held:
            self._pass_on(model, self._held.pop(model))

    def _add(self, model: str, state: dict[str, Any]) -> None:
        known = model in self.models
        self._merge(model, state)
        if state.get("_model_name") == "MPLCanvasModel" and not known:
            for kind in ("refresh", "send_image_mode", "initialized"):
                self.custom(model, {"type": kind})

    def _merge(self, model: str, state: dict[str, Any]) -> None:
        values = self.models.setdefault(model, {})
        values.update(state)
        if state.get("value") and "nc-numbers" in values.get("_dom_classes", ()):
            self._numbers = state["value"]

    def _update(self, model: str, state: dict[str, Any]) -> None:
        self._merge(model, state)
        if "memory" in state:
            self.memory.update(state["memory"])

    def _custom(self, model: str, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Note that the kernel lives, and answer a canvas as ipympl's script does."""
        if content.get("type") == "alive":
            self._heard = time.monotonic()
        if "data" not in content:
            return
        kind = json.loads(content["data"])["type"]
        if kind == "resize":
            self.custom(model, {"type": "refresh"})
        elif kind == "draw" and model not in self._drawing:
            self._drawing.add(model)
            self.custom(model, {"type": "draw"})
        elif kind == "binary":
            assert buffers[0].startswith(b"\x89PNG")
            self._drawing.discard(model)
            self.images += 1


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text[:2000]
    return match[1]


def new_id() -> str:
    """Return a random id."""
    return secrets.token_hex(16)


def parts_of(message: bytes) -> list[bytes]:
    """Return the channel, the JSON parts and the buffers of a message in the binary format."""
    count = int.from_bytes(message[:8], "little")
    edges = [int.from_bytes(message[8 * i + 8 : 8 * i + 16], "little") for i in range(count)]
    return [message[a:b] for a, b in itertools.pairwise(edges)]
