"""Arguments of verbs: names, texts and JSON values, and their schema."""

from __future__ import annotations

import math

import pytest
from jsonschema import Draft202012Validator

from backend.inputs import SYSTEM, InvalidInput
from backend.settings import SETTINGS
from nanoconf.gui import links
from nanoconf.verbs import arguments
from nanoconf.verbs.registry import VERBS

INPUTS = arguments.of_inputs(SYSTEM)
RUN = arguments.of_inputs(SETTINGS)


def parsed(**given):
    return arguments.parse((*INPUTS, *RUN), given.items())


def refusal(*given: tuple[str, object]) -> str:
    with pytest.raises(InvalidInput) as refused:
        arguments.parse((*INPUTS, *RUN), given)
    line = str(refused.value)
    assert line.isprintable(), line
    return line


def test_a_query_of_a_link_has_the_same_values_as_on_the_page():
    query = {"h": "3,4", "zp": "2", "zn": "−1", "c": "0.6", "d": "0.65", "dn": "", "sigma": "-0.01"}
    query |= {"ns": "0.5", "error": "0.5"}
    assert set(query) == set(links.keys())
    on_page = {each.name: each.parse(query[key]) for key, each in links.keys().items()}
    on_page["target_error"] /= 100  # the field of the page is in percent
    assert parsed(**query) == on_page
    by_name = {links.keys()[key].name: text for key, text in query.items()}
    assert parsed(**{**by_name, "target_error": "0.005"}) == on_page
    assert parsed(target_error="0.5%") == parsed(error=0.5) == {"target_error": 0.005}


def test_json_values_mean_the_same_as_strings():
    assert parsed(h=3.4, zp=2, wall="plane", dn=None) == parsed(
        confinement_length="3.4", positive_valency="2", wall="plane", negative_diameter=""
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([("h", 99)], "confinement_length = 99: must lie between 0.6 and 30 nm"),
        ([("h", "wide")], "confinement_length = 'wide': is not a number"),
        ([("h", "")], "confinement_length = '': is not a number"),
        ([("h", None)], ""),
        ([("h", True)], "is not a number"),
        ([("h", [3])], "is not a number"),
        ([("h", math.nan)], "must lie between"),
        ([("zp", 1.5)], "is not a whole number"),
        ([("wall", "glass")], "must be one of ion, plane"),
        ([("width", 3)], "is not an argument; known: confinement_length, "),
        ([("tab\n\x1b[1m", "x" * 10_000)], "is not an argument"),
        ([("h", 3), ("confinement_length", 3)], "is given more than once"),
        ([("error", "a lot")], "is not a number"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_line(given, words):
    if words:
        assert words in refusal(*given)
    else:
        assert parsed(**dict(given)) == {"confinement_length": 3.0}, "null means the default"


def test_a_missing_id_is_named():
    with pytest.raises(InvalidInput, match="id = ''") as refused:
        arguments.parse((arguments.run_id("ID"),), [])
    assert refused.value.allowed == "is missing"


def test_a_flag_is_true_or_false():
    flag = arguments.flag("profiles", True, "text")
    for value in (True, "true", "1", "YES"):
        assert flag.parse(value) is True
    assert flag.parse("0") is flag.parse(False) is False
    for value in ("", "maybe", 1, None):
        with pytest.raises(InvalidInput, match="must be true or false"):
            flag.parse(value)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_schemas_are_json_schemas_that_describe_every_argument(verb):
    schema = arguments.schema(verb.arguments)
    Draft202012Validator.check_schema(schema)
    assert all(each["description"] for each in schema["properties"].values())
    assert {each.name for each in verb.arguments if each.required} == {*schema.get("required", ())}


@pytest.mark.parametrize("argument", [*INPUTS, *RUN], ids=lambda each: each.name)
def test_schemas_allow_what_the_table_of_inputs_allows(argument):
    each, allows = argument.input, Draft202012Validator(argument.schema).is_valid
    if each.default is not None:
        assert argument.schema["default"] == each.default and allows(each.default)
    if each.choices:
        assert argument.schema["enum"] == list(each.choices)
        return
    for inside, outside in ((each.low, each.low - 1), (each.high, each.high + 1)):
        assert allows(inside) and argument.parse(inside) == inside
        assert not allows(outside)
        with pytest.raises(InvalidInput):
            argument.parse(outside)
    assert each.unit in argument.schema["description"]
