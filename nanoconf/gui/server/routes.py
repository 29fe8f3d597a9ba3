"""Addresses of the server: the page's own, those of Voila that it needs, and no others."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from jupyter_server import DEFAULT_STATIC_FILES_PATH
from jupyter_server.log import log_request
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.utils import url_path_join
from tornado.routing import HostMatches, Rule
from tornado.web import authenticated

from nanoconf.gui.server import headers
from nanoconf.gui.server.api.addresses import addresses
from nanoconf.gui.server.frames import MAX_BYTES
from nanoconf.gui.server.host_names import ForeignHost, foreign_hosts, is_loopback, is_wildcard
from nanoconf.gui.server.page import PageHandler, QueueHandler
from nanoconf.gui.server.plain import PlainHandler
from nanoconf.gui.server.prefix import serve_under
from nanoconf.gui.server.queries import MAX_HEADER_BYTES, accept_any_query
from nanoconf.gui.server.socket import PageSocket
from nanoconf.gui.server.teacher import TeacherHandler

if TYPE_CHECKING:
    from nanoconf.gui.server.gate import Gate

KERNEL = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"

OF_VOILA = (
    r"voila/static/.",
    r"voila/templates/[\w-]+/static/.",
    r"voila/labextensions/.",
    r"voila/api/themes/.",
    r"voila/api/shutdown/[\w-]+$",
)
"""Addresses of Voila that the page needs. All others get status 404."""

LISTEN = {
    "max_body_size": 2**20,  # the page uploads nothing
    "max_header_size": MAX_HEADER_BYTES,
    "idle_connection_timeout": 120.0,
    "body_timeout": 30.0,
}
"""Limits of the HTTP server."""


class KernelModel(KernelHandler):
    """Tells a page about its own kernel, whose ID only the page knows."""

    SUPPORTED_METHODS = ("GET",)

    @authenticated
    async def get(self, kernel_id: str) -> None:
        """Answer, and keep the kernel for the page, which asks while it is loading."""
        model: Any = super().get(kernel_id)
        await model
        kernels: Any = self.kernel_manager
        kernels.keep_for_page(kernel_id)


def log_unexpected(handler: Any) -> None:
    """Log a request with Jupyter's function, which hides tokens; a full server is not an error."""
    if handler.get_status() != 503:
        log_request(handler, record_prometheus_metrics=False)


def put_before_voila(voila: Any, gate: Gate) -> None:
    """Add the page's handlers to Voila's application, which has none yet: the first match counts.

    Parameters
    ----------
    voila : Voila
        The application, with its settings.
    gate : Gate
        Identity provider, which decides who may open the page.
    """
    app = voila.app
    security = headers.policy(headers.OTHERS, gate.frame_ancestors)
    common = {**headers.COMMON, "Content-Security-Policy": security}
    app.settings.update(
        allow_remote_access=True,  # ForeignHost checks the name, for all handlers
        frame_ancestors=gate.frame_ancestors,
        headers=common,
        log_function=log_unexpected,
        page_policy=headers.PAGE if gate.token or gate.is_public else headers.AUTOMATED,
        xsrf_cookie_kwargs={"path": voila.base_url},  # other servers may be beside it
        login_url=url_path_join(voila.base_url, "login"),
        static_path=DEFAULT_STATIC_FILES_PATH,  # of jupyter_server's error pages
        websocket_max_message_size=MAX_BYTES,
    )
    app.add_transform(functools.partial(headers.SecurityHeaders, common))
    app.add_handlers(r".*$", _handlers(voila, gate))
    accept_any_query(app, apart=url_path_join(voila.server_url, "/api/"))
    serve_under(app, voila.server_url)
    refused = HostMatches(_refused_hosts(voila.ip, gate.allowed_hosts))
    app.default_router.rules.insert(0, Rule(refused, ForeignHost))
    # Voila starts the HTTP server without limits.
    app.listen = functools.partial(app.listen, **LISTEN, xheaders=gate.behind_proxy)


def _refused_hosts(ip: str, allowed: list[str]) -> str:
    if is_loopback(ip) or allowed:
        return foreign_hosts(allowed if is_wildcard(ip) else [*allowed, ip])
    return r"(?!)"  # none: the token protects against other names, too


def _handlers(voila: Any, gate: Gate) -> list[tuple[Any, ...]]:
    page = {
        "notebook_path": os.path.relpath(voila.notebook_path, voila.root_dir),
        "template_paths": voila.template_paths,
        "config": voila.config,
        "voila_configuration": voila.voila_configuration,
    }
    here = functools.partial(url_path_join, voila.server_url)
    teacher = {"teacher": gate.teacher}
    return [
        *([(here("/teacher"), TeacherHandler, teacher)] if gate.teacher else []),
        (here("/"), PageHandler, page),
        (here("/queue"), QueueHandler),
        (here("/login"), gate.login_handler_class),
        *addresses(here),
        (here(rf"/api/kernels/{KERNEL}/channels"), PageSocket),
        (here(rf"/api/kernels/{KERNEL}"), KernelModel),
        (rf"(?!{here('/')}(?:{'|'.join(OF_VOILA)})).*", PlainHandler),
    ]
