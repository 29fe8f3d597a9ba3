"""A small trained surrogate and its training data."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanoconf.data import dataset
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.simulations import Simulations
from nanoconf.surrogate.training import train
from tests.support.synthetic import EPOCHS, synthetic_rows


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    dataset.save(folder, synthetic_rows(60, repeats=5), {})
    return folder


@pytest.fixture(scope="session")
def data(data_folder) -> Simulations:
    return Simulations.load(data_folder)


@pytest.fixture(scope="session")
def trained(data_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "first"
    train(data_folder, folder, epochs=EPOCHS, seed=3, progress=False, background=False)
    return folder


@pytest.fixture(scope="session")
def model(trained) -> Surrogate:
    return Surrogate.load(trained)
