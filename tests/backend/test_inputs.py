"""Table of inputs, and the code that reads it."""

import inspect
import math
import subprocess
import sys
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial

import pytest

from backend.inputs import SYSTEM, Input, InvalidInput
from backend.profiles.bins import HALF
from backend.settings import SETTINGS, RunSettings
from backend.system import SlitSystem
from nanoconf.api import simulate
from nanoconf.cli.main import main, parser
from nanoconf.cli.options import add_input
from nanoconf.data import dataset, parsing
from nanoconf.data.plans import read_plan
from nanoconf.gui.fields import FIELDS, WITHOUT_FIELD
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.uncertainty import model as uncertainty_tab
from nanoconf.gui.widgets.system_panel import SystemPanel
from nanoconf.surrogate.domain import INPUTS, Domain, continuous_inputs, fixed_inputs

DIPOLE = Input(
    name="dipole_moment",
    term="Dipole moment",
    help="dipole moment of each ion",
    default=1.5,
    symbol="p",
    unit="D",
    low=0.0,
    high=20.0,
    metavar="DEBYE",
)


@dataclass(frozen=True)
class DipolarSystem(SlitSystem):
    """System with the input that the tests add."""

    dipole_moment: float = 1.5


@pytest.fixture
def dipole(monkeypatch):
    """Add an input: an entry of the table and a field of the system."""
    monkeypatch.setitem(SYSTEM, DIPOLE.name, DIPOLE)
    for module in ("nanoconf.data.parsing", "nanoconf.gui.entered_inputs"):
        monkeypatch.setattr(f"{module}.SlitSystem", DipolarSystem)


def help_of(verb: str, capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


# --- the tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "described"), [(SYSTEM, SlitSystem), (SETTINGS, RunSettings)])
def test_fields_and_defaults_are_those_of_the_table(table, described):
    found = {each.name: each.default for each in fields(described)}
    if described is RunSettings:
        found["replicas"] = RunSettings().replicas  # None stands for the number of the engine
    assert found == {name: each.default for name, each in table.items()}
    assert list(table) == [each.name for each in fields(described)]


@pytest.mark.parametrize("each", [*SYSTEM.values(), *SETTINGS.values()], ids=lambda each: each.name)
def test_an_input_accepts_only_its_default_and_values_in_its_range(each):
    assert each.check(each.default) == each.default
    assert each.default is not None or each.unset
    if each.choices:
        beyond = ["", 1, None]
    else:
        assert each.low < each.high < math.inf
        assert each.check(each.low) == each.low and each.check(each.high) == each.high
        assert type(each.check(each.low)) is (int if each.whole else float)
        beyond = [each.low - 1, 2 * abs(each.high) + 1, math.nan, 10**400, "1", True]
        beyond += [each.low + 0.25] if each.whole else []
    for value in beyond:
        with pytest.raises(InvalidInput, match=f"^{each.name} = "):
            each.check(value)


def test_the_python_api_has_the_defaults_of_the_table():
    parameters = inspect.signature(simulate).parameters
    for name in ("duration_ns", "seed"):
        assert parameters[name].default == SETTINGS[name].default


def test_the_table_needs_only_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import backend.inputs; "
        "print({name.partition('.')[0] for name in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "{'backend'}", answer.stdout + answer.stderr


# --- code that reads the tables -------------------------------------------------------------


def test_flags_of_the_published_code_are_accepted():
    published = {
        "-Z": ("confinement_length", "3.2"),
        "-p": ("positive_valency", "2"),
        "-n": ("negative_valency", "-1"),
        "-c": ("salt_concentration", "0.6"),
        "-d": ("positive_diameter", "0.65"),
        "-a": ("negative_diameter", "0.5"),
        "-i": ("surface_charge_density", "-0.01"),
        "-S": ("steps", "1000000"),
    }
    typed = [f"{flag}{value}" for flag, (_, value) in published.items()]
    options = vars(parser().parse_args(["simulate", *typed, "-o", "result"]))
    assert {name: options[name] for name, _ in published.values()} == dict(published.values())


@pytest.mark.parametrize("verb", ["simulate", "predict", "uncertainty"])
def test_help_shows_every_input_with_its_default(verb, capsys):
    text = help_of(verb, capsys)
    for each in SYSTEM.values():
        assert all(f"{option} {each.placeholder}" in text for option in each.options)
        assert f"{each.help} (default: {each.default_text})" in text


def test_every_number_in_the_table_is_on_the_page_or_left_at_its_default():
    assert {*FIELDS, *WITHOUT_FIELD} == {*SYSTEM, "duration_ns", "target_error"}
    for name, field in FIELDS.items():
        each = (SYSTEM | SETTINGS)[name]
        assert (field.default, field.symbol, field.whole) == (each.default, each.symbol, each.whole)


def test_the_surrogate_is_trained_for_one_value_of_every_other_input():
    assert fixed_inputs() == (
        "wall",
        "surface_charge_density",
        "temperature",
        "relative_permittivity",
    )


def test_uncertain_inputs_are_the_continuous_inputs_of_the_surrogate(capsys):
    assert continuous_inputs() == tuple(uncertainty_tab.START)
    *others, last = (SYSTEM[name].symbol for name in continuous_inputs())
    expected = f"make {', '.join(others)} or {last} normally distributed"
    assert expected in help_of("uncertainty", capsys)


# --- an additional input --------------------------------------------------------------------


@pytest.mark.usefixtures("dipole")
@pytest.mark.parametrize("verb", ["simulate", "predict", "uncertainty"])
def test_an_added_input_is_in_the_help(verb, capsys):
    text = help_of(verb, capsys)
    assert "--dipole-moment DEBYE dipole moment of each ion (default: 1.5)" in text


@pytest.mark.usefixtures("dipole")
def test_an_added_input_can_be_set_on_the_command_line_and_in_a_plan(tmp_path):
    typed = ["simulate", "--dipole-moment", "2.5", "-o", "result"]
    system = parsing.system_of(vars(parser().parse_args(typed)))
    assert system == DipolarSystem(dipole_moment=2.5)
    plan = tmp_path / "plan.csv"
    plan.write_text("dipole_moment\n4\n")
    assert read_plan(plan)[0].system == DipolarSystem(dipole_moment=4.0)
    with pytest.raises(InvalidInput, match="must lie between 0 and 20 D"):
        parsing.system_of({"dipole_moment": "21"})
    with pytest.raises(InvalidInput, match="is not a number; it must lie between 0 and 20 D"):
        parsing.system_of({"dipole_moment": "strong"})


@pytest.mark.usefixtures("dipole")
def test_an_added_input_has_a_field_on_the_page():
    state = AppState()
    panel = SystemPanel(state)
    field = {each.text.description: each for each in panel.fields}["Dipole moment p (D)"]
    assert field.text.value == "1.5"
    field.text.value = "2.5"
    assert state.valid and state.system == DipolarSystem(dipole_moment=2.5)
    field.text.value = "90"
    refusal = "Dipole moment p = 90: must be a number between 0.0 and 20 D"
    assert state.problems == {"dipole_moment": refusal}
    assert refusal in field.refusal.value


@pytest.mark.usefixtures("dipole")
def test_an_added_input_becomes_a_column_in_datasets(tmp_path):
    profile = {"density": [1.0] * HALF, "error": [0.1] * HALF, "seed": 1, "inputs_hash": "a"}
    row = {**DipolarSystem(dipole_moment=2.5).to_dict(), "system": 0, "species": "positive"}
    dataset.save(tmp_path, [row | profile], {})
    assert list(dataset.load(tmp_path)["dipole_moment"]) == [2.5]
    assert dataset.columns()["dipole_moment"] == "DOUBLE"
    assert dataset.units()["dipole_moment"] == "D"


@pytest.mark.usefixtures("dipole")
def test_the_surrogate_refuses_other_values_of_an_added_input():
    systems = [DipolarSystem(), DipolarSystem(confinement_length=4.0)]
    domain = Domain.of(systems)
    assert tuple(domain.ranges) == INPUTS and domain.fixed["dipole_moment"] == 1.5
    assert domain.problems(systems[0]) == []
    (problem,) = domain.problems(systems[0].replace(dipole_moment=2.5))
    assert str(problem).startswith("dipole_moment = 2.5: must be 1.5 D")


def test_choices_may_be_added_after_the_table_is_created():
    engines = {"one": 1}
    chosen = Input(name="engine", term="Engine", help="", default="one", choices=engines.keys())
    group = parser()
    engines["two"] = 2
    add_input(group, chosen)
    assert chosen.check("two") == "two"
    assert "--engine {one,two}" in group.format_help()


HUGE = (10**400, -(10**400), 10**5000, Fraction(10**400))


def test_values_of_any_size_and_type_are_refused_in_one_short_line(home):
    system = SlitSystem()
    for value in (*HUGE, "1", None, [], {}, "a\nb" * 1000, b"\xff"):
        for create in (
            partial(SlitSystem, confinement_length=value),
            partial(SlitSystem, positive_valency=value),
            partial(SlitSystem, wall=value),
            partial(RunSettings, duration_ns=value),
            partial(RunSettings, seed=value),
            partial(RunSettings, engine=value),
            partial(simulate, system, duration_ns=value),
            partial(simulate, system, thermostat=value),
        ):
            with pytest.raises(InvalidInput) as refused:
                create()
            line = str(refused.value)
            assert line.isprintable() and len(line) < 400, line
    assert not home.exists()


@pytest.mark.parametrize("options", [{"name": "a\nb"}, {"name": "\udcff"}, {"home": ""}])
def test_text_that_is_not_one_line_is_refused_before_a_run_is_submitted(options, home):
    with pytest.raises(InvalidInput):
        simulate(SlitSystem(), **options)
    assert not home.exists()
