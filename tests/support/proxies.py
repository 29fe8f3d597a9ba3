"""Real proxies with TLS in front of the page: the examples in ``deploy/``."""

from __future__ import annotations

import base64
import datetime
import http.client
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import homes
from tests.support.browser import ROOT
from tests.support.homes import until
from tests.support.web import Answer, free_port

EXAMPLES = {"nginx": ROOT / "deploy" / "nginx.conf", "caddy": ROOT / "deploy" / "Caddyfile"}

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

PREFIX = "/nanoconf/"
"""Path of the page in the examples."""

USER, PASSWORD = "alice", "a password"


class Proxy:
    """A proxy in its own process, with the configuration of an example.

    Parameters
    ----------
    name : str
        ``nginx`` or ``caddy``.
    folder : Path
        Folder for its files.
    page_port : int
        Port of the page.
    users : bool
        Uncomment the lines that log users in.
    """

    def __init__(self, name: str, folder: Path, page_port: int, *, users: bool = False):
        self.program = shutil.which(name, path=PATH)
        if self.program is None:
            message = f"NO {name.upper()}: install the Debian package {name}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}{PREFIX}"
        self._folder, self._name, self._page_port = folder, name, page_port
        self._users = {USER: PASSWORD} if users else {}
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, key = make_certificate(folder)
        example = EXAMPLES[name].read_text(encoding="utf-8")
        adapt = self._adapt_nginx if name == "nginx" else self._adapt_caddy
        self._configuration = folder / EXAMPLES[name].name
        self._configuration.write_text(adapt(example, key), encoding="utf-8")

    def _adapt_nginx(self, example: str, key: Path) -> str:
        """Return the example for this port, within the frame that Debian has around it."""
        users = self._folder / "htpasswd"
        lines = [f"{user}:{{PLAIN}}{password}\n" for user, password in self._users.items()]
        users.write_text("".join(lines), encoding="utf-8")
        server = replaced(
            example if not self._users else uncommented(example, "auth_basic|proxy_set_header"),
            {
                "listen 80;": f"listen 127.0.0.1:{free_port()};",
                "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                "nanoconf.example.org;": "localhost;",
                "/etc/ssl/nanoconf/fullchain.pem": str(self.certificate),
                "/etc/ssl/nanoconf/key.pem": str(key),
                "/etc/nginx/nanoconf.htpasswd": str(users),
                "127.0.0.1:8866": f"127.0.0.1:{self._page_port}",
            },
        )
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{each}_temp_path {self._folder}/{each};\n" for each in places)
        user = "user root;\n" if os.geteuid() == 0 else ""  # reads the folders of the tests
        return (
            f"{user}daemon off;\nworker_processes 1;\nerror_log stderr;\n"
            f"pid {self._folder}/pid;\nevents {{}}\n"
            f"http {{\n{temporary}access_log off;\n{server}}}\n"
        )

    def _adapt_caddy(self, example: str, key: Path) -> str:
        if self._users:
            example = uncommented(example, r"basicauth|\talice|}|header_up")
        site = replaced(
            example,
            {
                "nanoconf.example.org {": f"https://localhost:{self.port} {{\n\tbind 127.0.0.1\n"
                f"\ttls {self.certificate} {key}",
                "HASH_FROM_caddy_hash-password": self._caddy_hash() if self._users else "",
                "127.0.0.1:8866": f"127.0.0.1:{self._page_port}",
            },
        )
        return f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}"

    def _caddy_hash(self) -> str:
        command = [self.program, "hash-password", "--plaintext", PASSWORD]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def __enter__(self) -> Proxy:
        nginx = ["-c", str(self._configuration), "-e", "stderr"]
        caddy = ["run", "--adapter", "caddyfile", "--config", str(self._configuration)]
        self._log = self._folder / "proxy.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.program), *(nginx if self._name == "nginx" else caddy)],
                env={**os.environ, "HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._listens, f"{self._name} to listen")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(homes.PATIENCE)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    def get(self, path: str = PREFIX, user: str = "", **headers: str) -> Answer:
        """Send a request through the proxy; its certificate must be valid."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=homes.PATIENCE, context=trusted
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            pair = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
            named["Authorization"] = f"Basic {pair}"
        try:
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()


def replaced(text: str, changes: dict[str, str]) -> str:
    """Replace texts, each of which must occur."""
    for old, new in changes.items():
        assert old in text or not new, old
        text = text.replace(old, new)
    return text


def uncommented(text: str, beginnings: str) -> str:
    """Uncomment the lines that begin in one of the given ways."""
    found, count = re.subn(rf"^(\s*)# (?={beginnings})", r"\1", text, flags=re.MULTILINE)
    assert count > 2, text
    return found


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for this computer, signed by its own key, and the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
