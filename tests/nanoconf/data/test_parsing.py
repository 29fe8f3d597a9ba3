"""Texts and tables become inputs, or are refused in one line."""

import os

import pytest

from backend.inputs import SYSTEM, InvalidInput
from backend.settings import SETTINGS
from nanoconf.data.parsing import parsed, system_of, table, whole_number


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e999", "1_0", "٣"])
@pytest.mark.parametrize("name", ["salt_concentration", "positive_valency", "seed"])
def test_text_that_is_not_a_usable_number_is_refused(name, text):
    with pytest.raises(InvalidInput, match=name):
        (SYSTEM | SETTINGS)[name].check(parsed(name, text))


@pytest.mark.parametrize("text", ["9" * 400 + "%", "nan%", "%", "1%%"])
def test_a_percentage_that_is_not_a_usable_number_is_refused(text):
    with pytest.raises(InvalidInput, match="target_error"):
        SETTINGS["target_error"].check(parsed("target_error", text))


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "-1", "1.0", "1_0", "٣", "", "0x1"])
def test_text_that_is_not_a_whole_number_in_the_range_is_refused(text):
    with pytest.raises(InvalidInput, match="cores = "):
        whole_number("cores", text, 1, 100)


def test_a_table_gives_its_rows(tmp_path):
    file = tmp_path / "systems.csv"
    file.write_text(
        "\ufeffconfinement_length, salt_concentration\n3.5,0.4\n\n4\n", encoding="utf-8"
    )
    assert table(file, "batch", SYSTEM) == [
        {"confinement_length": "3.5", "salt_concentration": "0.4"},
        {"confinement_length": "4", "salt_concentration": ""},
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("temperature,temperature\n300,310\n", "has the column 'temperature' more than once"),
        ("temperature, temperature \n300,310\n", "has the column 'temperature' more than once"),
        ("temperature,colour\n300,red\n", "has a column 'colour'"),
        ("temperature,\n300,\n", "has a column ''"),
        ("temperature\n300,310\n", "has a row with more cells than the header"),
        ("temperature\n", "must have a header and 1 to"),
        ("", "must have a header and 1 to"),
        ("temperature\n\0\n", "cannot be read|is not a number"),
        ("temperature\n" + "9" * 200_000, "cannot be read"),
        (b"temperature\n\xff\n", "cannot be read"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(tmp_path, content, problem):
    file = tmp_path / "systems.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=problem) as refused:
        [system_of(row) for row in table(file, "batch", SYSTEM)]
    assert str(refused.value).isprintable()


def test_a_file_that_is_not_regular_is_not_a_table(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "nowhere", "/dev/zero", tmp_path):
        with pytest.raises(InvalidInput, match=r"batch = .* cannot be read"):
            table(path, "batch", SYSTEM)
