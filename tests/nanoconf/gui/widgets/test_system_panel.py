"""The list of presets, and the words for the shaded parts of the sliders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nanoconf import Surrogate
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.presets import SIMULATION_ONLY, presets
from nanoconf.gui.tabs.registry import ABOUT, POSITIVE, PREDICTION
from nanoconf.gui.widgets.number import TrainingRange, trained_words, training_range
from nanoconf.gui.widgets.system_panel import PresetChooser, SystemPanel

ROOT = Path(__file__).parents[4]


@pytest.fixture
def card():
    return Surrogate.load().card


def labelled(chooser: PresetChooser, name: str):
    """Return the label and system of the preset with a name."""
    labels = (name, f"{name} (simulation only)")
    (entry,) = [each for each in chooser.options if each[0] in labels]
    return entry


def test_presets_that_need_a_simulation_are_marked_once_the_model_is_loaded(state, card):
    chooser = PresetChooser(state)
    assert not any(SIMULATION_ONLY in label for label, _ in chooser.options)
    state.model = card
    surrogate = Surrogate.load()
    for preset in presets():
        label, _system = labelled(chooser, preset.name)
        outside = bool(surrogate.domain.problems(preset.system))
        assert label == (f"{preset.name} (simulation only)" if outside else preset.name)
    marked = [label for label, _ in chooser.options if SIMULATION_ONLY in label]
    assert marked and len(marked) < len(presets())


def test_the_chosen_preset_stays_when_the_model_is_loaded(state, card):
    chooser = PresetChooser(state)
    _label, salt = labelled(chooser, "CaCl₂, hydrated ions")
    chooser.value = salt
    state.model = card
    assert chooser.value == salt and state.is_current(salt)
    state.type("salt_concentration", "0.4")
    assert chooser.value == ""
    state.type("salt_concentration", "0.5")
    state.model = None
    state.model = card  # nothing is chosen: the inputs stay
    assert chooser.value == "" and state.values["salt_concentration"] == 0.5


def test_a_preset_selects_a_tab_that_shows_its_prediction(state, card):
    state.model = card
    chooser = PresetChooser(state)
    state.tab = ABOUT
    chooser.value = labelled(chooser, "CaCl₂, hydrated ions")[1]
    assert state.tab == ABOUT  # simulation only
    chooser.value = labelled(chooser, "Paper, Fig. 6: c = 0.9, z₊ = 2")[1]
    assert state.tab == PREDICTION
    state.tab = POSITIVE
    chooser.value = labelled(chooser, "Paper, Fig. 6: c = 0.9, z₊ = 3")[1]
    assert state.tab == POSITIVE


def test_marking_presets_does_not_load_tensorflow():
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from nanoconf.gui.presets import presets\n"
        "from nanoconf.surrogate.card import Card\n"
        "domain = Card.load(Path(sys.argv[1])).domain\n"
        "print(sum('only' in each.label(domain) for each in presets()))\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    *_others, folder = sorted((ROOT / "models").iterdir())
    answer = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    marked, heavy = answer.stdout.splitlines()
    assert int(marked) > 0 and heavy == "[]"


def test_the_training_range_is_given_in_words(state, card):
    expected = {
        "confinement_length": "ML model trained for 3.0 to 4.0 nm",
        "positive_valency": "ML model trained for 1 to 3",
        "negative_valency": "ML model trained for −1 only",
        "positive_diameter": "ML model trained for 0.5 to 0.75 nm",
        "negative_diameter": "ML model trained for 0.5 to 0.75 nm, with d₋ = d only",
        "surface_charge_density": "ML model trained for 0.0 C/m² only",
    }
    for name, words in expected.items():
        assert trained_words(FIELDS[name], *training_range(card, FIELDS[name])) == words
        shading = TrainingRange(state, FIELDS[name])
        assert shading.value == ""
        state.model = card
        assert f">{words}</span>" in shading.value
        state.model = None


def test_the_shading_is_explained_once_there_is_any(state, card):
    panel = SystemPanel(state)
    assert panel.legend.value == ""
    state.model = card
    assert "Shaded: range the ML model was trained on" in panel.legend.value
