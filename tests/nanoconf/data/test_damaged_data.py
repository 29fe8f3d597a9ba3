"""Damaged datasets: the folder, the file and the reason are named on one line."""

from __future__ import annotations

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from backend.inputs import SYSTEM, InvalidInput
from backend.system import SlitSystem
from nanoconf.data import dataset
from nanoconf.data.dataset import COUNTED
from nanoconf.surrogate.lifecycle.retraining import package_data
from nanoconf.surrogate.simulations import Simulations
from tests.support.damage import damaged, flips, whole_file
from tests.support.synthetic import synthetic_rows


@pytest.fixture
def data(tmp_path):
    dataset.save(tmp_path / "data", synthetic_rows(6), {})
    return tmp_path / "data"


def refusal(folder, *, verify: bool = True) -> str:
    """Return the message about a damaged dataset; empty if it is read."""
    try:
        dataset.read_rows(folder, verify=verify)
    except InvalidInput as error:
        assert error.parameter == "data" and "\n" not in str(error)
        return str(error)
    return ""


def test_damaged_profiles_are_named(data):
    for name in damaged(data / dataset.FILE, whole_file() | flips(100)):
        message = refusal(data)
        assert str(data) in message and dataset.FILE in message, name
    assert refusal(data) == ""


def test_a_sweep_that_was_killed_before_it_wrote_the_card_still_recognises_damage(data):
    """Without the checksum of the file, there is the digest of its rows."""
    expected = [profiles_of(row) for row in dataset.read_rows(data)]
    for name in damaged(data / dataset.FILE, flips(300)):
        try:
            found = dataset.read_rows(data, verify=False)
        except InvalidInput as error:
            assert "\n" not in str(error), name
        else:
            assert [profiles_of(row) for row in found] == expected, name
    for name in damaged(data / dataset.FILE, whole_file()):
        if name not in ("appended to",):
            assert dataset.FILE in refusal(data, verify=False), name


def profiles_of(row: dict) -> tuple:
    """Return the inputs and profiles of a row."""
    system = SlitSystem(**{name: row[name] for name in SYSTEM if name in row and name != COUNTED})
    return system, row["species"], row["density"].tolist(), row["error"].tolist()


def changed(name: str, values) -> list[dict]:
    """Return the rows of three systems, with a value of the second one replaced."""
    rows = synthetic_rows(3)
    rows[2][name] = rows[3][name] = values
    return rows


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (changed("density", np.full(150, np.nan)), "row 3: density must hold 150 finite numbers"),
        (changed("error", np.full(150, np.inf)), "row 3: error must hold 150 finite numbers"),
        (changed("density", np.ones(149)), "row 3: density must hold 150"),
        (changed("density", None), "row 3 lacks density"),
        (changed("confinement_length", None), "row 3 lacks confinement_length"),
        (changed("confinement_length", 0.1), "holds an invalid system: confinement_length"),
        (changed("positive_diameter", float("nan")), "row 3 lacks positive_diameter"),
        (synthetic_rows(3)[:5], "a simulation lacks the profile of one ion species"),
        ([], "holds no simulations"),
    ],
)
def test_unusable_rows_are_named(tmp_path, rows, named):
    dataset.save(tmp_path, rows, {})
    with pytest.raises(InvalidInput, match=named):
        Simulations.load(tmp_path)


def test_missing_columns_and_columns_of_the_wrong_type_are_named(data):
    file = data / dataset.FILE
    (data / dataset.CARD).unlink()
    table = pyarrow.parquet.read_table(file)
    for name in ("density", "seed", "wall"):
        pyarrow.parquet.write_table(table.drop_columns([name]), file)
        assert f"lacks the columns {name}" in refusal(data)
    for name in ("density", "seed", "confinement_length"):
        words = pyarrow.array(["words"] * len(table))
        index = table.schema.get_field_index(name)
        pyarrow.parquet.write_table(table.set_column(index, name, words), file)
        assert f"{dataset.FILE} is damaged" in refusal(data)


@pytest.mark.parametrize("name", ["grid", "validation", "test"])
def test_shipped_data_have_their_checksums(name):
    folder = package_data() / name
    assert refusal(folder) == ""
    assert dataset.load_card(folder)["sha256"].keys() == {dataset.FILE}
