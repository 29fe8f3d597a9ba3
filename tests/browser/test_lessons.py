"""A lesson in the browser, from the first screen to the lab record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from nanoconf import Surrogate
from nanoconf.gui.tabs.lessons.content import TASKS
from nanoconf.gui.tabs.registry import LESSONS, POSITIVE
from tests.support.browser import PICTURES, Window, same

CROWDING, SCREENING = TASKS[0], TASKS[3]
ATTACK = "<script>document.title = 'attacked'</script>"


def download(window: Window, name: str, press: str, folder: Path) -> Path:
    with window.page.expect_download() as waiting:
        window.button(press).click()
    assert waiting.value.suggested_filename == name
    file = folder / name
    waiting.value.save_as(file)
    return file


def heading(window: Window, text: str):
    return window.page.get_by_role("heading", name=text, exact=True)


def shot(window: Window, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    window.page.screenshot(path=PICTURES / f"{name}.png")


def test_a_lesson_leads_from_the_prediction_to_the_lab_record(server, window, tmp_path):
    server.start()
    window.open()
    page = window.page
    window.tab(LESSONS)
    heading(window, "Lesson 1: Crowding").wait_for()
    setup = window.button("Set the inputs: c = 0.9 M")
    expect(setup).to_be_disabled()
    page.get_by_label(CROWDING.options[1]).check()
    page.get_by_role("textbox", name="Your reasons (optional)").fill(ATTACK)
    expect(setup).to_be_enabled()
    shot(window, "lesson")

    setup.click()
    expect(window.field("Salt concentration c (M)")).to_have_value("0.90")
    curves = window.wait_for_curves("ML")
    same(curves[0], Surrogate.load().predict(CROWDING.setups[1].system).positive)
    strip = page.get_by_role("region", name="Lesson", exact=True)
    expect(strip).to_contain_text("Lesson 1 · Note the same two densities.")
    expect(page).to_have_url(re.compile("#lesson-1$"))
    window.picture("lesson-strip")
    window.button("Back to the lesson").click()
    expect(strip).to_be_hidden()

    expect(window.button("Show the answer")).to_be_disabled()
    page.get_by_role("textbox", name="Your answer").fill("The other ions push.")
    window.button("Show the answer").click()
    expect(page.get_by_text(CROWDING.criteria[0])).to_be_visible()
    current = page.get_by_role("link", name=re.compile("^1. Crowding"))
    expect(current).to_have_text("1. Crowding done")
    expect(current).to_have_attribute("aria-current", "step")
    shot(window, "lesson-answer")

    record = download(window, "lab_record.html", "Lab record", tmp_path)
    read(window, record)


def read(window: Window, file: Path) -> None:
    """Open the lab record in the browser: it shows all and requests nothing."""
    page = window.context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    expect(page).to_have_title("Lab record: ions in nanoconfinement")
    expect(page.get_by_text(ATTACK)).to_have_count(1)
    expect(page.get_by_text("The other ions push.")).to_be_visible()
    width = page.get_by_role("img", name=re.compile(f"^{POSITIVE}")).evaluate("e => e.naturalWidth")
    assert width > 300
    assert all(url.startswith(("file:", "data:")) for url in requests)
    page.screenshot(path=PICTURES / "lab-record.png", full_page=True)
    page.close()


def test_a_link_opens_its_lesson_and_a_reload_keeps_the_answers(server, window):
    server.start()
    page = window.page
    page.goto(f"{server.url}#lesson-4")
    heading(window, f"Lesson 4: {SCREENING.title}").wait_for()
    page.get_by_label(SCREENING.options[2]).check()
    page.get_by_role("textbox", name="Your answer").fill("It shrinks.")
    window.button("Set the inputs: c = 0.2 M").click()
    expect(page.get_by_role("region", name="Lesson", exact=True)).to_contain_text("Press Run (≈ ")
    window.wait_for_curves("PB")
    window.wait(
        "JSON.parse(localStorage.nanoconf).lessons?.answers?.screening?.answer === 'It shrinks.'"
        " && JSON.parse(localStorage.nanoconf).tab === 'Charge'"
    )

    window.reload()
    window.wait_for_curves("PB")
    window.button("Back to the lesson").click()
    expect(page.get_by_role("textbox", name="Your answer")).to_have_value("It shrinks.")
    expect(page.get_by_label(SCREENING.options[2])).to_be_checked()

    page.get_by_role("link", name="← Previous lesson").click()
    heading(window, "Lesson 3: Confinement").wait_for()
    expect(page).to_have_url(re.compile("#lesson-3$"))
    expect(heading(window, "Lesson 3: Confinement")).to_be_in_viewport()
    expect(page.get_by_role("region", name="Lessons", exact=True)).to_be_focused()
    page.go_back()
    heading(window, f"Lesson 4: {SCREENING.title}").wait_for()


@pytest.mark.parametrize(
    "dark", [pytest.param(False, marks=pytest.mark.long), True], ids=["light", "dark"]
)
def test_a_lesson_fits_into_a_narrow_window(server, browser, dark):
    server.start()
    window = Window(browser, server, (390, 844))
    if dark:
        window.page.emulate_media(color_scheme="dark")
    page = window.page
    page.goto(f"{server.url}#lesson-2")
    window.button("Skip the prediction").click()
    window.button("Skip to the answer").click()
    expect(page.get_by_text(TASKS[1].criteria[0])).to_be_visible()
    too_wide = page.evaluate(
        "[...document.querySelectorAll('.nc-lessons *')].filter(e => e.offsetParent)"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)"
    )
    assert too_wide == []
    name = f"lesson-narrow{'-dark' if dark else ''}"
    shot(window, name)
    page.locator(".nc-revealed").scroll_into_view_if_needed()
    shot(window, f"{name}-answer")
    window.button("Set the inputs: z₊ = 3").click()
    page.get_by_role("region", name="Lesson", exact=True).wait_for()
    window.picture(f"{name}-strip")
    window.close()
    assert window.trouble == []
