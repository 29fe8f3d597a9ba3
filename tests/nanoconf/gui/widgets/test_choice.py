"""A row of buttons of which one is selected."""

from __future__ import annotations

import pytest
from traitlets import TraitError

from nanoconf.gui.widgets.choice import Choice


def test_only_listed_titles_can_be_selected():
    choice = Choice(groups=[["a", "b"], ["c"]], value="a", label="Letters")
    assert choice.titles == ["a", "b", "c"] and choice.position("c") == 2
    choice.value = "c"
    with pytest.raises(TraitError, match="there is no choice 'd'"):
        choice.value = "d"
    assert choice.value == "c"
