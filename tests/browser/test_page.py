"""The page in a browser: typing, running, downloading, reloading, and lost connections."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import expect

from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.system import SlitSystem
from nanoconf import Surrogate
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.tabs.registry import CHARGE, NEGATIVE, POSITIVE, TABS
from tests.support.browser import SEEN, SHORT, Window, same
from tests.support.desk import held_by, write_config
from tests.support.homes import PATIENCE, until
from tests.support.toy_engine import register_everywhere

NUMBERS = {
    "Confinement length h (nm)": ("3.00", "must be a number between 0.6 and 30 nm"),
    "Positive ion valency z₊": ("1", "must be 1, 2 or 3"),
    "Negative ion valency z₋": ("−1", "must be −3, −2 or −1"),
    "Salt concentration c (M)": ("0.50", "must be a number between 0.001 and 5.0 M"),
    "Ion diameter d (nm)": ("0.714", "must be a number between 0.1 and 2.0 nm"),
    "Negative diameter d₋ (nm)": ("", "must be a number between 0.1 and 2.0 nm, or empty"),
    "Surface charge σ (C/m²)": ("0.000", "must be a number between −0.2 and 0.0 C/m²"),
    "Simulation length (ns)": ("5.0", "must be a number between 0.01 and 100 ns"),
    "Stop at error (%)": ("", "must be a number between 0.02 and 50 %, or empty"),
}
WRONG = ("abc", "1e999", "", "200")
VALID = {("Negative diameter d₋ (nm)", ""), ("Stop at error (%)", "")}
LONG = "100"


def start_long_run(window: Window) -> str:
    """Start a simulation that outlasts the test, and return its id."""
    window.paste("Simulation length (ns)", LONG)
    window.button("Run").click()
    wait_until_simulating(window)
    (run,) = Archive(window.server.home).runs()
    return run.id


def wait_until_simulating(window: Window) -> None:
    """Wait until the page shows a running simulation."""
    window.wait(
        "/^(Equilibr|Simul)ating: /.test(document.querySelector('[role=status]').innerText)"
    )


def running(window: Window, run_id: str) -> bool:
    return Archive(window.server.home).get(run_id).state == RunState.RUNNING


# --- first view -----------------------------------------------------------------------------


@pytest.mark.own_server
def test_plain_voila_shows_the_whole_page(server, window):
    server.start(plain=True)
    page = window.open().page
    assert page.title() == "Ions in Nanoconfinement"
    expect(page.get_by_role("heading", level=1)).to_have_text("Ions in Nanoconfinement")
    expect(page.get_by_role("tab")).to_have_text([tab.title for tab in TABS])
    for label, (default, _allowed) in NUMBERS.items():
        expect(window.field(label)).to_have_value(default)
    for words in ("Run", "Predict using ML", "Cluster mode"):
        expect(window.button(words)).to_be_enabled()
    window.page.get_by_text("typical error").wait_for()
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        window.picture(f"page-{width}")
        assert not page.evaluate(CUT_OFF, [width, height])


# Elements that extend beyond the window, or whose text does not fit into their box.
CUT_OFF = """([width, height]) => [...document.querySelectorAll(
    '.nc-app label, .nc-app button, .nc-app input, .nc-app h1, .nc-app h2, .nc-app p, .nc-app span,'
    + ' .nc-app .nc-end, .nc-figure canvas')]
  .filter(e => e.offsetParent && !e.closest('.jupyter-matplotlib-toolbar'))
  .filter(e => {
    const box = e.getBoundingClientRect();
    const out = box.left < -1 || box.top < -1 || box.right > width + 1 || box.bottom > height + 1;
    return out || (e.tagName !== 'SPAN' && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
  })
  .map(e => `${e.tagName} ${e.className} ${e.textContent}`)"""


def refuse_what_is_wrong(window: Window, label: str, wrong: Sequence[str]) -> None:
    default, allowed = NUMBERS[label]
    for typed in wrong:
        window.type(label, typed)
        valid = (label, typed) in VALID
        refusal = window.page.get_by_role("alert").filter(has_text=allowed)
        if valid:
            refusal.wait_for(state="detached")
        else:
            refusal.filter(has_text=typed or "is empty").wait_for()
        expect(window.field(label)).to_have_value(typed)
        for words in ("Run", "Predict using ML"):
            button = window.page.get_by_role("button", name=words, exact=True, disabled=not valid)
            button.wait_for()
    window.type(label, default)
    window.page.get_by_role("alert").filter(has_text=allowed).wait_for(state="detached")


def test_invalid_numbers_are_refused_and_kept_as_typed(server, window):
    server.start()
    window.open()
    for i, label in enumerate(NUMBERS):
        refuse_what_is_wrong(window, label, WRONG if i == 0 else WRONG[-1:])
    for words in ("Run", "Predict using ML"):
        expect(window.button(words)).to_be_enabled()
    window.type("Salt concentration c (M)", "70")
    window.type("Confinement length h (nm)", "abc")
    window.page.get_by_text("= “abc”: must be").wait_for()
    window.picture("refused")
    # A slider corrects its number.
    slider = window.slider("Salt concentration c (M)")
    slider.focus()
    slider.press("ArrowRight")
    window.page.get_by_role("alert").filter(has_text="Salt").wait_for(state="detached")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.51")


@pytest.mark.own_server
def test_cluster_mode_without_a_cluster_explains_what_to_configure(server, window, monkeypatch):
    monkeypatch.delenv("NANOCONF_CLUSTER_CONFIG", raising=False)
    server.start()
    window.open()
    window.button("Cluster mode").click()
    window.page.get_by_text("NANOCONF_CLUSTER_CONFIG").wait_for()
    # The note appears first; the button is released by a later message.
    expect(window.button("Cluster mode")).not_to_have_class(re.compile("mod-active"))


@pytest.mark.own_server
def test_a_run_in_cluster_mode_appears_in_the_same_figure(
    server, window, cluster, home, monkeypatch
):
    home.mkdir(exist_ok=True)
    held = cluster.home / "held"
    path = write_config(home / "clusters.toml", cluster, cores=2, setup=held_by(held))
    monkeypatch.setenv("NANOCONF_CLUSTER_CONFIG", str(path))
    server.start()
    window.open()
    window.type("Simulation length (ns)", SHORT)
    window.button("Cluster mode").click()
    limit = window.field("Time limit (min)")
    expect(window.field("Cores")).to_have_value("2")
    expect(limit).to_have_value("6")  # the estimate
    window.type("Time limit (min)", "99")
    limit.press("Enter")
    window.page.get_by_text("walltime = 99: must lie between 1 and 60").wait_for()
    expect(window.button("Run")).to_be_disabled()
    window.type("Time limit (min)", "7")
    limit.press("Enter")
    window.page.get_by_text("walltime = 99").wait_for(state="detached")
    window.button("Run").click()
    window.wait_for_status("On test")
    window.picture("cluster")
    held.unlink()
    window.wait_for_status("Done")
    window.wait_for_curves("MD", "ML")
    (job,) = [job for job in cluster.jobs() if "JobName" in job]
    assert job["TimeLimit"] == "00:07:00" and job["NumCPUs"] == "2"


@pytest.mark.own_server
def test_a_second_engine_can_be_chosen(server, window, tmp_path, monkeypatch):
    """The toy engine takes the place of a graphics card."""
    register_everywhere(tmp_path, monkeypatch, "replace(TOY, page_title='Graphics card')")
    server.start()
    window.open()
    choice = window.page.get_by_role("radiogroup", name="Simulate on")
    expect(choice.get_by_role("radio")).to_have_text(["Processor", "Graphics card"])
    choice.get_by_role("radio", name="Processor").focus()
    window.page.keyboard.press("ArrowRight")
    expect(choice.get_by_role("radio", name="Graphics card")).to_be_checked()
    window.picture("engines")
    window.type("Simulation length (ns)", SHORT)
    window.button("Run").click()
    window.wait_for_status("Done")
    (request,) = (server.home / "runs").glob("*/run.json")
    assert json.loads(request.read_text())["settings"]["engine"] == "toy"


# --- predicting and simulating --------------------------------------------------------------


@pytest.mark.submits_runs
def test_predict_and_run_share_one_figure_and_both_results_can_be_downloaded(server, window):
    server.start()
    window.open()
    inputs = {"confinement_length": 3.2, "salt_concentration": 0.4, "positive_diameter": 0.6}
    window.paste("Confinement length h (nm)", "3.2")
    window.paste("Salt concentration c (M)", "0,4")
    window.paste("Ion diameter d (nm)", "0.6")
    window.paste("Simulation length (ns)", SHORT)
    predicted = Surrogate.load().predict(SlitSystem(**inputs))

    window.button("Predict using ML").click()
    window.wait_for_highest(max(predicted.positive.density))
    positive, negative = window.wait_for_curves("ML", "ML")
    same(positive, predicted.positive)
    same(negative, predicted.negative)

    # Run and Predict work at the same time.
    window.button("Run").click()
    window.button("Predict using ML").click()
    window.wait_for_curves("MD", "ML")
    window.wait_for_status("Done")
    (run,) = Archive(server.home).runs()
    assert run.system == SlitSystem(**inputs)
    simulated = run.result()
    for tab, species in ((POSITIVE, "positive"), (NEGATIVE, "negative")):
        window.tab(tab)
        window.wait(f"!{SEEN}?.dataset.curves.includes('so far')")  # drawn a moment later
        md, ml = window.wait_for_curves("MD", "ML")
        assert not md["stale"] and not ml["stale"]
        same(md, getattr(simulated, species))
        same(ml, getattr(predicted, species))
        window.picture(f"both-{species}")

    window.tab("Downloads")
    expected = {**simulated.profiles.files(), **predicted.files()}
    assert {name: window.download(name) for name in expected} == expected
    about = json.loads(window.download("run.json"))
    assert about["id"] == run.id and about["summary"] == simulated.summary.to_dict()
    assert about["system"] == run.system.to_dict()
    window.page.screenshot(path="test-results/downloads.png")

    window.button("Log").click()
    log = window.page.get_by_label("Log of this page")
    expect(log).to_contain_text("Run: h 3.2 nm, 1:−1, 0.4 M, d 0.6 nm, 0.02 ns")
    expect(window.page.get_by_label("Log of the simulation")).to_contain_text(re.compile(r"\S"))

    # Different inputs: the prediction is updated, the simulation is marked.
    window.tab("Positive Ion Density")
    window.paste("Salt concentration c (M)", "0.5")
    window.wait(
        f"JSON.stringify(JSON.parse({SEEN}.dataset.curves).map(c => c.stale)) === '[true,false]'"
    )
    window.page.locator(".nc-chip").filter(has_text="different inputs").first.wait_for()
    window.picture("stale")
    # The original inputs remove the mark.
    window.paste("Salt concentration c (M)", "0.4")
    window.wait(f"JSON.parse({SEEN}.dataset.curves).every(curve => !curve.stale)")


@pytest.mark.submits_runs
def test_the_profile_is_redrawn_as_it_converges_and_cancel_ends_the_run(server, window):
    server.start()
    window.open()
    window.paste("Simulation length (ns)", "40")  # long enough, and its first profile comes early
    window.button("Run").click()
    window.wait_for_curves("MD", "ML")
    window.page.evaluate(f"window.first = {SEEN}.dataset.curves")
    window.wait(f"{SEEN}.dataset.curves !== window.first")
    window.wait_for_status("Simulating:")
    window.picture("running")
    expect(window.page.locator(".nc-progress")).to_be_visible()
    expect(window.page.get_by_role("status")).to_contain_text(re.compile("about .+ left"))

    window.button("Cancel").click()
    window.wait_for_status("Cancelled")
    expect(window.button("Run")).to_be_enabled()
    (run,) = Archive(server.home).runs()
    assert run.state == RunState.CANCELLED


@pytest.mark.submits_runs
def test_a_busy_kernel_receives_what_was_typed_before_the_click_that_followed(server, window):
    server.start()
    window.open()
    window.wait_for_curves("ML", "ML")
    (kernel,) = server.kernels()
    kernel.suspend()
    window.type("Simulation length (ns)", "0.05")
    window.button("Run").click()
    kernel.resume()
    until(lambda: Archive(server.home).runs(), "the run to be submitted")
    (run,) = Archive(server.home).runs()
    assert run.settings.duration_ns == 0.05


# --- losing the page ------------------------------------------------------------------------


@pytest.mark.submits_runs
def test_a_reloaded_page_shows_its_run_and_its_inputs_again(server, window):
    server.start()
    window.open()
    window.paste("Salt concentration c (M)", "0,6")
    run_id = start_long_run(window)
    (before,) = server.kernels()
    window.reload()
    wait_until_simulating(window)
    expect(window.field("Salt concentration c (M)")).to_have_value("0,6")
    expect(window.field("Simulation length (ns)")).to_have_value(LONG)
    assert running(window, run_id)
    # The kernel of the closed page ends.
    until(lambda: not before.is_running(), "the first kernel to end")
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")


@pytest.mark.submits_runs
def test_a_killed_kernel_is_detected_and_its_run_continues(server, window):
    server.start()
    window.open()
    window.paste("Salt concentration c (M)", "0.6")
    window.button("Predict using ML").click()
    run_id = start_long_run(window)
    window.tab(CHARGE)
    window.wait_for_curves("MD", "ML")
    (kernel,) = server.kernels()
    kernel.kill()
    window.page.get_by_text("lost its connection").wait_for()
    window.page.screenshot(path="test-results/lost.png")
    assert running(window, run_id)
    with window.page.expect_navigation():
        window.page.get_by_role("button", name="Reload the page").click()
    window.ready()
    wait_until_simulating(window)
    expect(window.page.get_by_role("tab", name=CHARGE)).to_have_attribute("aria-selected", "true")
    expect(window.field("Salt concentration c (M)")).to_have_value("0.6")
    curves = window.wait_for_curves("MD", "ML")
    assert not any(curve["stale"] for curve in curves)
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")


@pytest.mark.long
def test_a_page_whose_kernel_ends_while_its_scripts_are_loading_reloads_itself(server, window):
    server.start()
    page, script = window.page, "**/voila.js"
    page.route(script, lambda _held: None, times=1)
    with page.expect_request(script):
        page.goto(server.url, wait_until="commit")
    settings = "JSON.parse(document.getElementById('jupyter-config-data').textContent)"
    kernel = page.evaluate(f"{settings}.kernelId")
    page.request.post(
        f"{server.url}voila/api/shutdown/{kernel}",
        headers={"Cookie": "_xsrf=abc"},
        form={"_xsrf": "abc"},
    )
    window.ready()
    assert page.evaluate(f"{settings}.kernelId") != kernel
    assert [each for each in window.trouble if "404" not in each] == []
    window.trouble.clear()


@pytest.mark.long
@pytest.mark.own_server
def test_the_next_server_picks_up_the_run_of_a_killed_one(browser, server):
    server.start()
    window = Window(browser, server).open()
    run_id = start_long_run(window)
    server.kill()
    window.page.get_by_text("lost its connection").wait_for()
    reload = window.page.get_by_role("button", name="Reload the page")
    reload.click()
    window.page.get_by_text("The server is not responding.").wait_for()
    until(lambda: not server.kernels(), "the kernel to notice")
    assert running(window, run_id)
    server.start()
    with window.page.expect_navigation():
        reload.click()
    window.ready()
    wait_until_simulating(window)
    window.button("Cancel").click()
    window.wait_for_status("Cancelled")
    # The console contains errors of the lost connection; only requests to other hosts are wrong.
    assert not [each for each in window.trouble if each.startswith("a request")]
    window.close()


@pytest.mark.long
@pytest.mark.submits_runs
def test_another_browser_can_watch_the_run_but_not_take_it_over(browser, server, window):
    server.start()
    window.open()
    run_id = start_long_run(window)
    other = Window(browser, server).open()
    other.page.get_by_text("Simulation in progress").wait_for()
    expect(other.button("Run")).to_be_enabled()
    other.button("Watch").click()
    wait_until_simulating(other)
    other.page.get_by_text("started in another browser; it cannot be stopped here").wait_for()
    expect(other.button("Cancel")).to_be_hidden()
    expect(other.button("Finish now")).to_be_hidden()
    other.button("Run in background").click()
    other.wait_for_status("Ready.")
    other.close()
    assert other.trouble == []
    assert running(window, run_id)
    key = window.page.evaluate("JSON.parse(localStorage.nanoconf).key")
    stored = Archive(server.home).get(run_id)
    assert Identity.of_browser({"key": key}).owns(stored) and key not in str(stored.request)
    until(lambda: len(server.kernels()) == 1, "the closed page's kernel to end")


def test_browser_automation_tools_may_evaluate_code_on_this_computer(server, window):
    server.start()
    window.open()
    window.page.wait_for_function("document.title.length > 0", timeout=1000 * PATIENCE)
