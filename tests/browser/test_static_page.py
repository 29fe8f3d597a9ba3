"""The page in one file, in a real browser without a network connection."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from backend.poisson_boltzmann import poisson_boltzmann
from backend.profiles.density import contact_density
from backend.system import SPECIES, InvalidInput, SlitSystem
from nanoconf.gui import words
from nanoconf.gui.entered_inputs import Inputs
from nanoconf.gui.static_page.page import scripts_text, static_page
from nanoconf.surrogate import Surrogate
from nanoconf.surrogate.domain import INPUTS
from nanoconf.surrogate.lifecycle.registry import package_models
from tests.support.accessibility import COLOURS, SMALL_TARGETS, violations
from tests.support.browser import PATIENCE, PICTURES

WIDE, NARROW = (1280, 800), (390, 844)
PANELS = ("Prediction Graph", "Downloads", "About")
KEYS = ("h", "zp", "zn", "c", "d")
TOLERANCE = 1e-5
"""Of densities, relative to the largest one."""

ERROR_TOLERANCE = 2e-3
"""Of their errors, relative to the largest one: the spread of the members is a small difference of
densities, which Python computes in single precision."""


@pytest.fixture(scope="module")
def surrogate():
    return Surrogate.load(package_models())


@pytest.fixture(scope="module")
def file(surrogate, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("static") / "ions.html"
    path.write_text(static_page(surrogate), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser, file):
    """Open the page once; it makes no other request and reports no error."""
    context = browser.new_context(
        viewport={"width": WIDE[0], "height": WIDE[1]}, accept_downloads=True, offline=True
    )
    page, trouble = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: trouble.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    yield page
    own = (file.as_uri(), "about:blank", "blob:")
    assert [each for each in trouble if not each.startswith(own)] == []
    context.close()


@pytest.fixture
def page(opened, file) -> Page:
    """Return the page with the default inputs."""
    opened.goto("about:blank")
    opened.goto(file.as_uri())
    expect(opened.locator("#status")).to_contain_text("Predicted by model-3")
    return opened


def named(system: SlitSystem) -> dict[str, float]:
    """Return a system as the page's scripts take it."""
    return {key: getattr(system, name) for key, name in zip(KEYS, INPUTS, strict=True)}


def in_domain(surrogate, count: int) -> list[SlitSystem]:
    """Return random systems in the domain, and those at its corners."""
    random = np.random.default_rng(20)
    ends = [surrogate.domain.ranges[name] for name in INPUTS]
    rows = random.uniform([each.low for each in ends], [each.high for each in ends], (count, 5))
    corners = np.array(np.meshgrid(*[(each.low, each.high) for each in ends])).reshape(5, -1).T
    return [
        SlitSystem(h, round(zp), round(zn), c, d)
        for h, zp, zn, c, d in [*rows, *np.unique(corners, axis=0)]
    ]


def computed(page: Page, expression: str, systems: list[SlitSystem]) -> list:
    """Evaluate an expression for each system in the page."""
    script = f"systems => JSON.stringify(systems.map(each => {expression}))"
    return json.loads(page.evaluate(script, [named(system) for system in systems]))


def close(found: list[float], expected: np.ndarray, scale: float, tolerance: float = TOLERANCE):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


# --- numbers --------------------------------------------------------------------------------


def test_predictions_equal_those_of_litert_everywhere_in_the_domain(page, surrogate):
    systems = in_domain(surrogate, 150)
    profiles = "Object.values(predict(each, model)).map(p => [[...p.density], [...p.error]])"
    found = computed(page, profiles, systems)
    worst = dict.fromkeys(("density", "error"), 0.0)
    for profiles, prediction in zip(found, surrogate.predict_many(systems), strict=True):
        for species, (density, error) in zip(SPECIES, profiles, strict=True):
            expected = getattr(prediction, species)
            for name, values in (("density", density), ("error", error)):
                wanted = getattr(expected, name)
                deviation = np.abs(values - wanted).max() / wanted.max()
                worst[name] = max(worst[name], deviation)
    assert worst["density"] < TOLERANCE and worst["error"] < ERROR_TOLERANCE, worst


def test_the_network_script_works_on_its_own(page, surrogate):
    """network.js needs none of the other scripts."""
    alone = page.context.new_page()
    alone.evaluate(
        f"() => {{ {scripts_text(('network.js',))}; window.evaluate = evaluateNetwork }}"
    )
    steps = [
        {"kind": "multiply", "values": [2, 3]},
        {"kind": "dense", "shape": [2, 2, 1], "values": [1, 1, 10, 1]},
        {"kind": "add", "values": [0, 1]},
        {"kind": "silu", "values": []},
    ]
    found = alone.evaluate("([steps, inputs]) => [...evaluate(steps, inputs)]", [steps, [1, -1]])
    before = np.array([2.0 - 3.0, 20.0 - 3.0 + 1.0])
    np.testing.assert_allclose(found, before / (1 + np.exp(-before)), rtol=1e-12)
    alone.close()


def test_mean_field_profiles_equal_those_of_the_backend(page, surrogate):
    outside = [
        SlitSystem(0.8, 1, -1, 0.001, 0.6),
        SlitSystem(0.6, 1, -1, 0.1, 0.5),
        SlitSystem(1.0, 2, -2, 3.0, 0.3),
        SlitSystem(10.0, 3, -3, 0.5, 0.3),
        SlitSystem(20.0, 1, -3, 0.05, 1.5),
        SlitSystem(0.6, 3, -1, 5.0, 0.1),
    ]
    systems = [*in_domain(surrogate, 10), *outside]
    densities = "Object.values(poissonBoltzmann(each, model.constants)).map(d => [...d])"
    found = computed(page, densities, systems)
    for densities, system in zip(found, systems, strict=True):
        assert len(densities) == len(SPECIES)
        expected = poisson_boltzmann(system).densities
        for density, each in zip(densities, expected, strict=True):
            close(density, each, each.max(), 2e-6)  # the grid of the backend is 1.2e-6 off


def test_contact_densities_equal_those_of_the_backend(page, surrogate):
    systems = [*in_domain(surrogate, 10), SlitSystem(30.0, 1, -1, 0.01, 0.3)]
    for system in systems:
        density = poisson_boltzmann(system).positive.density
        found = page.evaluate(
            "([system, density]) => contactDensity(system, model.constants, density)",
            [named(system), density.tolist()],
        )
        assert found == pytest.approx(contact_density(system, "positive", density), rel=1e-9)


@pytest.mark.parametrize("digits", [3, 4, 6, 8])
def test_numbers_are_formatted_as_in_python(page, digits):
    random = np.random.default_rng(1)
    values = (random.normal(size=200) * 10.0 ** random.integers(-12, 12, 200)).tolist()
    values += [0.0, 1.0, -1.5, 1e-5, 9.9999999e-5, 99999999.5, 0.1, 100.0]
    found = page.evaluate("([v, digits]) => v.map(each => general(each, digits))", [values, digits])
    assert found == [f"{value:.{digits}g}" for value in values]


# --- words ----------------------------------------------------------------------------------

TYPED = [
    (
        "confinement_length",
        ["3", "3,5", " 2.9 ", "0.7", "", "x", "0.5", "31", "1e400", "-3", "nan"],
    ),
    ("positive_valency", ["2", "2.5", "4", "two", "1e0"]),
    ("negative_valency", ["-1", "−2", "0", "+1", "-4"]),
    ("salt_concentration", ["0.3", ".9", "4.9", "0", "0.0001", "1 M", "9" * 30]),
    ("positive_diameter", ["0.5", "1.9", "0.05", "2,5", "<b>", "1.234567"]),
]


@pytest.mark.parametrize(("name", "texts"), TYPED)
def test_typed_values_are_parsed_as_on_the_page(page, surrogate, name, texts):
    key = KEYS[INPUTS.index(name)]
    for text in texts:
        inputs = Inputs()
        inputs.type(name, text)
        problems, reason = page.evaluate(
            "([key, text]) => { const before = { ...state.texts }; state.texts[key] = text;"
            " const found = compute(); state.texts = before; return [found, state.problem] }",
            [key, text],
        )
        assert problems == {KEYS[INPUTS.index(n)]: p for n, p in inputs.problems.items()}, text
        if inputs.valid:
            assert reason == expected_reason(surrogate, inputs.system), text


def expected_reason(surrogate, system: SlitSystem) -> str:
    problems: list[InvalidInput] = surrogate.domain.problems(system)
    if not problems:
        return ""
    return words.outside_domain(problems, surrogate.domain).removesuffix(" Press Run to simulate.")


def test_several_inputs_outside_the_training_range_are_named_together(page, surrogate):
    system = SlitSystem(6.0, 1, -2, 1.5, 0.4)
    found = page.evaluate("system => outsideDomain(system, model)", named(system))
    assert found == expected_reason(surrogate, system)
    assert found.startswith("No ML prediction here: it needs h of 3-4 nm and c of")
    assert found.endswith("and z₋ must be −1.")


# --- the page -------------------------------------------------------------------------------


def field(page: Page, label: str):
    return page.get_by_label(label, exact=True)


def curve_box(page: Page, kind: str) -> dict[str, float]:
    """Return the box of a drawn line in the units of its axes, from the labels of the ticks."""
    return page.evaluate(
        """kind => {
          const number = e => Number(e.textContent.replace('−', '-'));
          const fit = (ticks, placeOf) => {
            const places = ticks.map(placeOf);
            const slope = (number(ticks.at(-1)) - number(ticks[0])) / (places.at(-1) - places[0]);
            return at => number(ticks[0]) + slope * (at - places[0]);
          };
          const labels = [...document.querySelectorAll('#chart text:not(.label)')];
          const at = (e, name) => Number(e.getAttribute(name));
          const across = labels.filter(e => e.getAttribute('text-anchor') === 'middle');
          const upwards = labels.filter(e => e.getAttribute('text-anchor') === 'end');
          const z = fit(across, e => at(e, 'x'));
          const y = fit(upwards, e => at(e, 'y') - 4);
          const line = document.querySelector(`#chart path.line.${kind}`);
          const { x, y: top, width, height } = line.getBBox();
          return { left: z(x), right: z(x + width), top: y(top), bottom: y(top + height) };
        }""",
        kind,
    )


def test_curves_agree_with_the_axes(page, surrogate):
    page.get_by_role("tab", name="Prediction Graph").click()
    field(page, "Positive ion valency z₊").fill("3")
    system = SlitSystem(positive_valency=3)
    expect(page.locator("#chip")).to_have_text("h 3 nm, 3:−1, 0.5 M, d 0.714 nm")
    prediction, theory = surrogate.predict(system), poisson_boltzmann(system)
    for kind, profiles in (("ml", prediction), ("pb", theory)):
        for species in SPECIES:
            box = curve_box(page, f"{kind}.{species}")
            profile = getattr(profiles, species)
            assert box["top"] == pytest.approx(profile.density.max(), rel=2e-3)
            assert box["bottom"] == pytest.approx(0.0, abs=1e-3)
            assert (box["left"], box["right"]) == pytest.approx((-1.495, 1.495), abs=2e-3)


def test_the_curves_follow_the_slider_and_the_typed_number(page, surrogate):
    slider = page.get_by_role("slider", name="Salt concentration c, slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(field(page, "Salt concentration c (M)")).to_have_value("0.51")
    expect(slider).to_have_attribute("aria-valuetext", "0.51 M")
    expect(page.locator("#chip")).to_contain_text("0.51 M")
    peak = surrogate.predict(SlitSystem(salt_concentration=0.51)).positive.density.max()
    assert curve_box(page, "ml.positive")["top"] == pytest.approx(peak, rel=2e-3)
    field(page, "Salt concentration c (M)").fill("0,8")
    expect(slider).to_have_attribute("aria-valuetext", "0,8 M")
    peak = surrogate.predict(SlitSystem(salt_concentration=0.8)).positive.density.max()
    expect(page.locator("#densities tr").first).to_contain_text(f"{peak:.3g}")


def test_outside_the_training_range_theory_remains_and_the_page_says_that_it_does_not_simulate(
    page,
):
    field(page, "Confinement length h (nm)").fill("6")
    status = page.get_by_role("status")
    expect(status).to_have_text(
        "No ML prediction here: it needs h of 3-4 nm. This page does not simulate: see About."
    )
    expect(page.locator("#legend li")).to_have_text(["PB, positive ions", "PB, negative ions"])
    page.get_by_role("tab", name="Downloads").click()
    expect(page.get_by_role("button", name="ml_positive_density.csv")).to_be_disabled()
    page.get_by_role("tab", name="Prediction Graph").click()
    page.get_by_role("button", name="Poisson-Boltzmann").click()
    expect(page.locator("#legend li")).to_have_count(0)
    expect(page.locator("#hint")).to_contain_text("No ML prediction here")
    field(page, "Confinement length h (nm)").fill("wide")
    expect(page.get_by_role("alert").first).to_contain_text(
        "must be a number between 0.6 and 30 nm"
    )
    expect(field(page, "Confinement length h (nm)")).to_have_attribute("aria-invalid", "true")
    expect(status).to_have_text("Correct the confinement length h to predict.")


def test_downloads_are_the_files_of_predict(page, surrogate):
    page.locator("#presets").select_option("Paper, system I")
    expect(page.locator("#chip")).to_contain_text("h 3.2 nm")
    system = SlitSystem(
        **{n: page.evaluate(f"state.system.{k}") for k, n in zip(KEYS, INPUTS, strict=True)}
    )
    page.get_by_role("tab", name="Downloads").click()
    for name, expected in surrogate.predict(system).files().items():
        if not name.endswith(".csv"):
            continue
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=True).click()
        assert waiting.value.suggested_filename == name
        lines = Path(waiting.value.path()).read_text(encoding="utf-8").split("\n")
        rows = expected.split("\n")
        assert (lines[0], lines[-1], len(lines)) == (rows[0], "", len(rows))
        assert [line.partition(",")[0] for line in lines] == [row.partition(",")[0] for row in rows]
        found, wanted = (
            np.array([r.split(",") for r in each[1:-1]], float) for each in (lines, rows)
        )
        close(found, wanted, wanted[:, 1].max())


def test_the_address_sets_the_inputs_and_follows_them(page, file):
    page.goto(f"{file.as_uri()}#h=3.4&zp=2&c=x&sigma=1")
    expect(field(page, "Confinement length h (nm)")).to_have_value("3.4")
    expect(page.get_by_role("status")).to_have_text("Correct the salt concentration c to predict.")
    field(page, "Salt concentration c (M)").fill("0.4")
    field(page, "Salt concentration c (M)").press("Enter")
    expect(page.locator("#chip")).to_have_text("h 3.4 nm, 2:−1, 0.4 M, d 0.714 nm")
    assert page.evaluate("location.hash") == "#h=3.4&zp=2&zn=-1&c=0.4&d=0.714"


def test_values_can_be_read_with_the_pointer_and_with_the_keyboard(page, surrogate):
    page.get_by_role("tab", name="Positive Ion Density").click()
    chart = page.get_by_role("slider", name="Position z")
    chart.focus()
    page.keyboard.press("Home")
    expect(page.locator("#reading")).to_contain_text("z = −1.495 nm · ML prediction 0")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowRight")
    profile = surrogate.predict(SlitSystem()).positive
    reading = page.locator("#reading")
    expect(reading).to_contain_text(
        f"z = −{-profile.z[90]:.3f} nm · ML prediction {profile.density[90]:.4g} ± "
    )
    expect(chart).to_have_attribute("aria-valuetext", reading.inner_text())
    page.keyboard.press("Escape")
    expect(reading).to_contain_text("Point at the figure")
    chart.hover()
    expect(reading).to_contain_text(re.compile(r"^z = −?0\.[01]\d\d nm"))


def test_the_whole_page_can_be_used_without_a_mouse(page):
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Presets")).to_be_focused()
    for key in KEYS:
        page.keyboard.press("Tab")
        expect(page.locator(f"#{key}")).to_be_focused()
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("tab", name="Prediction Graph")).to_be_focused()
    for title in ("Downloads", "About", "Positive Ion Density"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=title)).to_be_focused()
        expect(page.get_by_role("tabpanel")).to_have_count(1)
        expect(page.get_by_role("tabpanel")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Poisson-Boltzmann")).to_be_focused()


def test_every_tab_passes_axe_and_fits_both_sizes(page):
    found = {}
    for size, theme in ((WIDE, "dark"), (WIDE, "light"), (NARROW, "light")):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=theme)
        rules = (COLOURS,) if (size, theme) == (WIDE, "light") else ()
        for title in PANELS:
            page.get_by_role("tab", name=title).click()
            trouble = [
                *violations(SimpleNamespace(page=page), *rules),
                *page.evaluate(SMALL_TARGETS.replace(".nc-app", "body")),
            ]
            root = "document.documentElement"
            if page.evaluate(
                f"{root}.scrollWidth > innerWidth || {root}.scrollHeight > innerHeight"
            ):
                trouble.append("the window scrolls")
            found[size, theme, title] = trouble
    page.get_by_role("tab", name="Prediction Graph").click()
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / "static-page-phone.png")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.screenshot(path=PICTURES / "static-page.png")
    assert {place: each for place, each in found.items() if each} == {}


def test_the_policy_forbids_connections_and_other_scripts(browser, file):
    page = browser.new_page()
    page.goto(file.as_uri())
    blocked = page.evaluate(
        """async () => {
          const found = [];
          addEventListener('securitypolicyviolation', e => found.push(e.effectiveDirective));
          await fetch('http://127.0.0.1:9/').catch(() => {});
          const script = document.createElement('script');
          script.textContent = 'window.intruder = true';
          document.body.append(script);
          const image = new Image();
          image.src = 'http://127.0.0.1:9/x.png';
          await new Promise(done => image.onerror = done);
          await new Promise(done => setTimeout(done));
          return [found, window.intruder ?? false];
        }"""
    )
    assert blocked == [["connect-src", "script-src-elem", "img-src"], False]
    page.close()
