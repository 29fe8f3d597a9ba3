"""The buttons that predict and simulate."""

from __future__ import annotations

from nanoconf.gui.widgets.actions import ActionsPanel
from nanoconf.gui.widgets.controls import SteadyButton


def test_a_steady_button_is_never_disabled_and_ignores_clicks_while_it_is_off():
    pressed = []
    button = SteadyButton(description="Run")
    button.on_click(pressed.append)
    button.off = True
    button.click()
    assert not pressed and not button.disabled and "nc-off" in button._dom_classes
    button.off = False
    button.click()
    assert pressed == [button] and "nc-off" not in button._dom_classes


def test_run_and_predict_are_off_while_a_number_is_incomplete(state, work):
    panel = ActionsPanel(state, work)
    for text, off in (("0.", True), ("0.02", False)):
        state.type("duration_ns", text)
        for button in (panel.predict, panel.run):
            assert button.off == off and not button.disabled
