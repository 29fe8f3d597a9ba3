"""Parquet files: exact values and types, in folders of any name, on a full disk."""

from __future__ import annotations

import errno
import math
import signal
import time

import numpy as np
import pandas
import pyarrow.parquet
import pytest

from nanoconf.data import parquet
from tests.support.disks import small_disk
from tests.support.homes import interruptible, python

TYPES = {
    "tiny": "TINYINT",
    "small": "SMALLINT",
    "whole": "INTEGER",
    "large": "BIGINT",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
    "text": "VARCHAR",
    "array": "FLOAT[]",
}

ARROW_TYPES = "int8 int16 int32 int64 double bool string list<element: float>"

ROWS = [
    {
        "tiny": -128,
        "small": 2**15 - 1,
        "whole": -(2**31),
        "large": 2**63 - 1,
        "number": 0.1,
        "flag": True,
        "text": "Größe \x00 'quoted'",
        "array": np.array([0.1, -0.0, 1e-45, np.inf, np.nan], np.float32),
    },
    {
        "tiny": np.int64(3),
        "number": math.nan,
        "flag": np.False_,
        "text": "",
        "array": np.array([1 / 3], np.float64),
    },
    {"number": 5e-324, "array": []},
    {},
]


def same(found, given) -> bool:
    if isinstance(found, np.ndarray):
        assert found.dtype == np.float32
        return found.tobytes() == np.array(given, np.float32).tobytes()
    return found == given or (isinstance(found, float) and math.isnan(found) and math.isnan(given))


def test_values_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "rows"
    parquet.write(file, TYPES, ROWS)
    found = parquet.read(file, TYPES, ["tiny"])
    assert len(found) == len(ROWS)
    for row, given in zip(found, ROWS, strict=True):
        assert list(row) == list(TYPES)
        assert [name for name in TYPES if not same(row[name], given.get(name))] == []


def test_pandas_and_arrow_read_the_same_values(tmp_path):
    file = tmp_path / "rows"
    parquet.write(file, TYPES, ROWS)
    schema = pyarrow.parquet.read_schema(file)
    assert " ".join(map(str, schema.types)) == ARROW_TYPES
    frame = pandas.read_parquet(file)
    assert same(frame["array"][0], ROWS[0]["array"]) and frame["array"][3] is None
    assert frame["large"][0] == 2**63 - 1 and frame["text"][0] == ROWS[0]["text"]


def test_columns_are_converted_and_unknown_ones_kept(tmp_path):
    file = tmp_path / "rows"
    table = {"array": [[0.1]], "tiny": [3], "flag": [None], 'a "new" one': [7]}
    pyarrow.parquet.write_table(pyarrow.table(table), file)
    (row,) = parquet.read(file, TYPES, ["tiny"])
    assert same(row.pop("array"), [0.1])
    assert row == {"tiny": 3, "flag": None, 'a "new" one': 7}


def test_a_changed_value_is_recognised_by_the_digest(tmp_path):
    file = tmp_path / "rows"
    parquet.write(file, TYPES, ROWS)
    digest = pyarrow.parquet.read_metadata(file).metadata[parquet.DIGEST.encode()]
    table = pyarrow.parquet.read_table(file)
    for name in TYPES:
        values = table[name].to_pylist()
        index = table.schema.get_field_index(name)
        changed = pyarrow.array([values[0], None, values[0], None], table.schema.field(name).type)
        swapped = table.set_column(index, table.schema.field(name), changed)
        kept = swapped.replace_schema_metadata({parquet.DIGEST: digest})
        pyarrow.parquet.write_table(kept, file)
        with pytest.raises(ValueError, match="digest of its rows"):
            parquet.read(file, TYPES, ["tiny"])


@pytest.mark.parametrize("name", ["a[b]", "a?b", "x=3", "~", "it's", "{uuid}", "Größe"])
def test_folders_have_any_name(tmp_path, monkeypatch, name):
    """DuckDB expands patterns and the home folder, and turns x=3 into a column."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder, number in ((tmp_path / "acb", 1), (tmp_path / name, 2)):
        folder.mkdir()
        parquet.write((folder / "rows").relative_to(tmp_path), TYPES, [{"tiny": number}])
    for file in (tmp_path / name / "rows", (tmp_path / name / "rows").relative_to(tmp_path)):
        (row,) = parquet.read(file, TYPES, ["tiny"])
        assert row == dict.fromkeys(TYPES) | {"tiny": 2}


def test_a_full_disk_is_reported_as_such(tmp_path):
    rows = [{"array": np.random.default_rng(1).random(100_000)}]
    with small_disk(tmp_path / "small", "100k") as folder, pytest.raises(OSError) as raised:
        parquet.write(folder / "rows", TYPES, rows)
    assert raised.value.errno == errno.ENOSPC


def test_a_value_of_the_wrong_type_is_refused(tmp_path):
    for row in ({"array": "nonsense"}, {"tiny": 128}, {"number": "x"}):
        with pytest.raises(ValueError) as raised:
            parquet.write(tmp_path / "rows", TYPES, [row])
        assert "\n" not in str(raised.value)


SLOW_QUERY = """
from nanoconf.data import parquet
with parquet._database() as database:
    print("started", flush=True)
    database.execute("SELECT count(*) FROM range(1000000) a, range(1000000) b").fetchall()
"""


def test_ctrl_c_interrupts_a_query_which_prints_nothing():
    """DuckDB turns it into an error, and shows the progress of slow queries."""
    process = python(SLOW_QUERY, preexec_fn=interruptible)
    assert process.stdout.readline() == "started\n"
    time.sleep(3)  # the progress is shown after two
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert output == ""
    assert errors.rstrip().endswith("KeyboardInterrupt") and process.returncode == -signal.SIGINT
