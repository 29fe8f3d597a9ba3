"""Source of the access token."""

from __future__ import annotations

import os

import pytest

from nanoconf.gui.server.tokens import (
    TokenError,
    configured_token,
    new_token,
    same,
    take_configured_token,
)


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch):
    monkeypatch.delenv("NANOCONF_TOKEN", raising=False)
    monkeypatch.delenv("NANOCONF_TOKEN_FILE", raising=False)


def test_the_token_comes_from_the_environment_and_is_hidden_from_child_processes(monkeypatch):
    assert configured_token() is None
    monkeypatch.setenv("NANOCONF_TOKEN", "secret-word")
    assert take_configured_token() == "secret-word"
    assert "NANOCONF_TOKEN" not in os.environ


def test_the_file_comes_before_the_variable(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("  of-the-file\n")
    monkeypatch.setenv("NANOCONF_TOKEN", "of-the-variable")
    monkeypatch.setenv("NANOCONF_TOKEN_FILE", str(tmp_path / "token"))
    assert configured_token() == "of-the-file"


@pytest.mark.parametrize("text", ["", "  \n", "two words", "geheimniß"])
def test_an_unusable_token_is_refused_and_never_means_none(monkeypatch, tmp_path, text):
    monkeypatch.setenv("NANOCONF_TOKEN", text)
    with pytest.raises(TokenError, match="one word of ASCII characters") as refused:
        configured_token()
    assert not text.strip() or text not in str(refused.value)
    (tmp_path / "token").write_text(text, encoding="utf-8")
    monkeypatch.setenv("NANOCONF_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(TokenError, match="NANOCONF_TOKEN_FILE"):
        configured_token()


def test_a_missing_or_binary_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOCONF_TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(TokenError, match=r"missing .*No such file"):
        configured_token()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("NANOCONF_TOKEN_FILE", str(tmp_path / "binary"))
    with pytest.raises(TokenError, match="not text"):
        configured_token()


def test_new_tokens_differ_and_compare_equal_only_to_themselves():
    token, other = new_token(), new_token()
    assert len(token) == 48 and token != other
    assert same(token, token) and not same(other, token)
    assert not same("", token) and not same("ü", token)
