"""Session of a hub: its address, and the password that browsers must have."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.inputs import InvalidInput
from nanoconf.cli.main import main
from nanoconf.hub.session import PASSWORD_FILE, HubSession

RESOURCES = """\
application_name "Ions in Nanoconfinement"
hub_url https://nanohub.org
filexfer_port 9081
filexfer_cookie ueeOziQBKV1GCU6N
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a session that runs this process."""
    (tmp_path / "resources").write_text(RESOURCES)
    (tmp_path / "passwd").write_bytes(bytes.fromhex("e6baae54ba5ed9c6"))
    monkeypatch.setenv("SESSION", "19159")
    monkeypatch.setenv("SESSIONDIR", str(tmp_path))
    monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / "passwd"))
    return tmp_path


def test_the_address_and_the_cookie_are_those_that_the_hub_documents(session: Path) -> None:
    # The cookie is the example of hublib's documentation.
    found = HubSession.current()
    assert found.url == "https://proxy.nanohub.org/weber/19159/ueeOziQBKV1GCU6N/81/"
    assert (found.cookie, found.token) == ("weber-auth-nanohub-org", "19159:e6baae54ba5ed9c6")


def test_quotes_around_a_value_are_not_part_of_it(session: Path) -> None:
    quoted = RESOURCES.replace("https://nanohub.org", '"https://nanohub.org"')
    (session / "resources").write_text(quoted)
    assert HubSession.current().hub == "nanohub.org"


@pytest.mark.parametrize("name", ["SESSION", "SESSIONDIR"])
def test_outside_a_hub_the_option_is_refused(session: Path, monkeypatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(InvalidInput, match=f"^{name} = '': this is not a session of a hub"):
        HubSession.current()


@pytest.mark.parametrize(
    ("line", "parameter"),
    [
        ("hub_url https://nanohub.org\n", "hub_url"),
        ("filexfer_port 9081\n", "filexfer_port"),
        ("filexfer_cookie ueeOziQBKV1GCU6N\n", "filexfer_cookie"),
    ],
)
def test_a_missing_entry_of_the_session_is_named(session: Path, line: str, parameter: str) -> None:
    (session / "resources").write_text(RESOURCES.replace(line, ""))
    with pytest.raises(InvalidInput, match=f"^{parameter} = ''"):
        HubSession.current()


def test_files_that_cannot_be_read_are_named(session: Path) -> None:
    (session / "passwd").unlink()
    with pytest.raises(InvalidInput, match="cannot read the password of the session"):
        HubSession.current()
    (session / "resources").unlink()
    with pytest.raises(InvalidInput, match="cannot read resources: No such file"):
        HubSession.current()


def test_the_command_refuses_bad_input_in_one_line(session: Path, monkeypatch, capsys) -> None:
    assert main(["app", "--hub", "--base-url", "/x/"]) == 2
    assert "base_url = /x/: comes from the hub" in capsys.readouterr().err
    monkeypatch.delenv("SESSION")
    assert main(["app", "--hub"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(SystemExit):
        main(["app", "--hub", "--no-token"])
