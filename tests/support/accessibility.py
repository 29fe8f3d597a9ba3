"""Accessibility of the page in a window: axe-core, target sizes, and use without a mouse."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.support.browser import Window

SEVERE = ("serious", "critical")

COLOURS = "color-contrast"
"""The rule that depends on the theme."""

MOST_STOPS = 160
"""More stops than the page has focusable elements."""


def violations(window: Window, *rules: str) -> list[str]:
    """Return the serious and critical violations that axe-core finds, one line for each element.

    Without `rules`, all rules are checked.
    """
    if not window.page.evaluate("'axe' in window"):
        window.page.evaluate(Axe().axe_script)
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = window.page.evaluate("options => axe.run(options).then(all => all.violations)", options)
    return [
        f"{rule['id']}: {node['html'][:160]} - {' '.join(node['failureSummary'].split())[:300]}"
        for rule in found
        if rule["impact"] in SEVERE
        for node in rule["nodes"]
    ]


def small_targets(window: Window) -> list[str]:
    """Return the visible controls below 24 by 24 CSS pixels that have no room around them.

    As in WCAG 2.2 (2.5.8), a smaller control may have a circle of 24 pixels to itself, and a link
    in a sentence may be as high as its line.
    """
    return window.page.evaluate(SMALL_TARGETS)


SMALL_TARGETS = """(() => {
  const controls = [...document.querySelectorAll('.nc-app :is(button, input, select, textarea,'
    + ' summary, a[href], [role=slider], [role=tab], [role=checkbox], [role=switch])')]
    .filter(e => e.checkVisibility({ visibilityProperty: true }) && !e.closest('p, .nc-about li'));
  const target = e => e.type === 'radio' || e.type === 'checkbox' ? e.closest('label') ?? e : e;
  const boxes = new Map(controls.map(e => [e, target(e).getBoundingClientRect()]));
  const small = ({ width, height }) => width < 24 || height < 24;
  const middle = box => [box.left + box.width / 2, box.top + box.height / 2];
  const between = (low, at, high) => Math.min(Math.max(low, at), high);
  const near = (box, other) => {
    const [x, y] = middle(box);
    if (small(other)) return Math.hypot(...middle(other).map((v, i) => v - [x, y][i])) < 24;
    const side = between(other.left, x, other.right) - x;
    return Math.hypot(side, between(other.top, y, other.bottom) - y) < 12;
  };
  return controls
    .filter(e => small(boxes.get(e)))
    .filter(e => controls.some(other => other !== e && near(boxes.get(e), boxes.get(other))))
    .map(e => [e, boxes.get(e)])
    .map(([e, box]) => `${e.outerHTML.slice(0, 160)}: ${box.width} x ${box.height}`);
})()"""


class Keyboard:
    """A user of the page without a mouse."""

    def __init__(self, window: Window):
        self.window, self.page = window, window.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def reach(self, role: str, name: str, key: str = "Tab") -> Locator:
        """Move the focus with Tab until it is on the control with the given role and name."""
        control = self.page.get_by_role(role, name=name, exact=True).and_(  # type: ignore[arg-type]
            self.page.locator(":focus")
        )
        for _ in range(MOST_STOPS):
            if control.count():
                return control
            self.press(key)
        where = self.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        raise AssertionError(f"{key} does not reach {role} {name!r}, the focus is on {where}")

    def activate(self, role: str, name: str, key: str = "Enter") -> None:
        """Move the focus to a control, and press a key there."""
        self.reach(role, name)
        self.press(key)

    def write(self, label: str, text: str) -> None:
        """Replace the text of a field."""
        self.reach("textbox", label)
        self.press("ControlOrMeta+a")
        self.page.keyboard.type(text)
        expect(self.window.field(label)).to_have_value(text)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a list by the beginning of its text, with the arrow keys."""
        control = self.reach("combobox", label)
        labels = control.evaluate("e => [...e.options].map(option => option.label)")
        options = [label.replace("\xa0", " ") for label in labels]  # as ipywidgets writes spaces
        chosen = control.evaluate("e => e.selectedIndex")
        (wanted,) = (i for i, each in enumerate(options) if each.startswith(option))
        key = "ArrowDown" if wanted > chosen else "ArrowUp"
        self.press(*[key] * abs(wanted - chosen))
        assert control.evaluate("e => e.selectedIndex") == wanted

    def tab(self, title: str) -> None:
        """Select a tab: the arrow keys move the focus, Enter selects."""
        tabs = self.page.get_by_role("tab")
        for _ in range(MOST_STOPS):
            if self.page.evaluate(ON_TABS):
                break
            self.press("Tab")
        else:
            raise AssertionError("Tab does not reach the tabs")
        wanted = self.page.get_by_role("tab", name=title, exact=True)
        for _ in range(tabs.count()):
            if wanted.and_(self.page.locator(":focus")).count():
                break
            self.press("ArrowRight")
        self.press("Enter")
        expect(wanted).to_be_focused()
        expect(wanted).to_have_attribute("aria-selected", "true")


ON_TABS = "document.activeElement.getAttribute('role') === 'tab'"
