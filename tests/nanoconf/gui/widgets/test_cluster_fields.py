"""Fields of Cluster mode."""

from __future__ import annotations

from backend.system import InvalidInput
from nanoconf.gui.widgets.cluster_fields import ClusterFields


def test_the_field_of_an_invalid_resource_is_marked(state):
    fields = ClusterFields(state)

    def marked() -> list[str]:
        each = {"cores": fields.cores, "minutes": fields.minutes}
        return [name for name, field in each.items() if "nc-refused" in field._dom_classes]

    assert marked() == []
    state.cluster_problem = str(InvalidInput("walltime", 99, "must lie between 1 and 60"))
    assert marked() == ["minutes"]
    state.cluster_problem = str(InvalidInput("cores", 9, "must lie between 1 and 2"))
    assert marked() == ["cores"]
    state.cluster_problem = ""
    assert marked() == []
