"""Crowding, valency and confinement between uncharged walls."""

from __future__ import annotations

from backend.system import SlitSystem
from nanoconf.gui.figures.plots import MD, PB
from nanoconf.gui.tabs.lessons.lesson_task import Cited, Setup, Task
from nanoconf.gui.tabs.registry import POSITIVE, PREDICTION, TRENDS

CROWDING = Task(
    key="crowding",
    title="Crowding",
    goal=(
        "See how the profile changes when more salt is dissolved, and why ions collect at walls "
        "that do not attract them."
    ),
    ask=(
        "The slit is 3 nm wide and its walls are uncharged. The salt concentration c rises from "
        "0.3 M to 0.9 M, a factor of three. What happens to the density of the ions near "
        "the walls, and at the midplane?"
    ),
    options=(
        "It triples everywhere: the profile keeps its shape.",
        "Near the walls it more than triples; at the midplane it less than triples.",
        "Near the walls it less than triples; at the midplane it more than triples.",
    ),
    setups=(
        Setup(
            "c = 0.3 M",
            SlitSystem(salt_concentration=0.3),
            POSITIVE,
            "Note the height of the peak near a wall, and the density at the midplane.",
        ),
        Setup(
            "c = 0.9 M",
            SlitSystem(salt_concentration=0.9),
            POSITIVE,
            "Note the same two densities. What has appeared between the peak and the midplane?",
        ),
        Setup(
            "Trends along c",
            SlitSystem(salt_concentration=0.9),
            TRENDS,
            "Each curve is for a different concentration. At which c does a second layer appear?",
        ),
    ),
    look=(
        "The height of the peak near a wall, and the density at the midplane (z = 0). Move the "
        "pointer over the figure to read values.",
        "At 0.9 M: the dip beside each peak, and the second, lower peak farther from the wall.",
    ),
    question=(
        "By what factors do the peak and the density at the midplane grow? The "
        "walls do not attract ions: what pushes them there?"
    ),
    answer=(
        "The predicted peak grows from 0.485 M to 2.29 M, by a factor of 4.7. The density at the "
        "midplane grows from 0.378 M to 1.01 M, by a factor of 2.7.\n\n"
        "The other ions push them there. Ions have volume: they fill 6.9 % of the slit at 0.3 M "
        "and 20.7 % at 0.9 M. An ion away from the walls is hit from all sides, but an ion at a "
        "wall only from the side that faces the slit, so collisions press it against the wall. In "
        "terms of entropy, an ion at the wall leaves more room for the others.\n\n"
        "At 0.9 M, the dense layer at the wall acts on the next ions like a wall. The density "
        "falls to 0.81 M beyond the layer and rises again to a second peak, about one ion diameter "
        "farther from the wall."
    ),
    criteria=(
        "Compares both factors with 3 and concludes that the profile changes shape.",
        "Attributes the peak to the size of the ions (collisions, excluded volume or entropy), not "
        "to an attraction by the wall.",
        "Describes the dip and the second peak as layering.",
    ),
    cited=(
        Cited("0.485", 0, "peak"),
        Cited("2.29", 1, "peak"),
        Cited("4.7", 1, "peak", over=0),
        Cited("0.378", 0, "midplane"),
        Cited("1.01", 1, "midplane"),
        Cited("2.7", 1, "midplane", over=0),
        Cited("6.9", 0, "packing"),
        Cited("20.7", 1, "packing"),
        Cited("0.81", 1, "dip"),
    ),
)

VALENCY = Task(
    key="valency",
    title="Valency",
    goal=(
        "See how the charge of an ion species affects its density near a wall that carries no "
        "charge."
    ),
    ask=(
        "The valency of the positive ions rises from z₊ = 1 to 2, then 3. The negative ions stay "
        "monovalent and the walls uncharged. The ions are small (d = 0.5 nm), so there is little "
        "crowding. Where do the trivalent ions go?"
    ),
    options=(
        "To the walls: they accumulate there.",
        "Nowhere: an uncharged wall does not act on charges.",
        "Away from the walls: they are depleted there.",
    ),
    setups=tuple(
        Setup(
            f"z₊ = {valency}",
            SlitSystem(positive_valency=valency, positive_diameter=0.5),
            PREDICTION,
            look,
        )
        for valency, look in (
            (1, "Both species have the same profile. How does it change towards the wall?"),
            (
                2,
                "Compare the density of the positive ions at |z| = 1.1 nm with that at the "
                "midplane.",
            ),
            (3, "Compare again. Do the negative ions follow the positive ones?"),
        )
    ),
    look=(
        "The positive ions within 0.3 nm of the contact plane: does the density rise or fall?",
        "The negative ions: do they follow the positive ones?",
        "With z₊ = 3: the potential (Charge tab). Is it zero, given that the walls carry no "
        "charge?",
    ),
    question=(
        "Divide the density of the positive ions at |z| = 1.1 nm by that at the midplane, for each "
        "valency. Why does a highly charged ion avoid a wall that carries no charge?"
    ),
    answer=(
        "The ratio is 1.05 for z₊ = 1, 0.86 for z₊ = 2 and 0.62 for z₊ = 3: the higher the "
        "valency, the stronger the depletion.\n\n"
        "In solution, each ion is surrounded by a cloud of opposite charge, which lowers its "
        "energy. Near a wall, part of the cloud is missing, because there are no ions behind it. "
        "The rest of the cloud pulls the ion back. The energy of the cloud grows rapidly with the "
        "valency, so trivalent ions are depleted most. For monovalent ions, crowding (lesson 1) "
        "slightly outweighs this pull, and they accumulate.\n\n"
        "The negative ions are depleted less (their ratio is 0.91 for z₊ = 3), so the solution has "
        "a negative net charge near the walls and a positive one around the midplane. The "
        "potential of the uncharged walls is 4.7 mV below that of the midplane. Image charges play "
        "no role: in this model, the permittivity is the same on both sides of a wall."
    ),
    criteria=(
        "Gives ratios that fall with the valency, from slight accumulation to depletion.",
        "Attributes the depletion to the ion's cloud of opposite charge, which is incomplete near "
        "a wall, and not to a force from the wall.",
        "Notices that the two species separate, so that there is a potential even without wall "
        "charge.",
    ),
    cited=(
        Cited("1.05", 0, "at 1.1 nm"),
        Cited("0.86", 1, "at 1.1 nm"),
        Cited("0.62", 2, "at 1.1 nm"),
        Cited("0.91", 2, "at 1.1 nm", species="negative"),
        Cited("4.7", 2, "potential drop"),
    ),
)

CONFINEMENT = Task(
    key="confinement",
    title="Confinement",
    goal=(
        "See when the layers at the two walls are independent of each other, and when they overlap."
    ),
    ask=(
        "The slit is narrowed from 4 nm to 3 nm. The salt concentration c = 0.5 M, which is "
        "averaged over the full width, stays the same. What happens to the profile?"
    ),
    options=(
        "Nothing: the concentration is the same.",
        "The layer at each wall keeps its shape, and the density is slightly higher everywhere.",
        "The layers at the two walls merge.",
    ),
    setups=(
        Setup(
            "h = 4 nm",
            SlitSystem(confinement_length=4.0),
            POSITIVE,
            "Note the height of the peak and the density at the midplane.",
        ),
        Setup(
            "h = 3 nm",
            SlitSystem(confinement_length=3.0),
            POSITIVE,
            "Note the same two densities. Divide the peak by the midplane density.",
        ),
        Setup(
            "h = 1.5 nm",
            SlitSystem(confinement_length=1.5),
            POSITIVE,
            "Is there still a region in the middle where the density hardly changes?",
            simulation_only=True,
        ),
    ),
    look=(
        "The ratio of the peak density to the midplane density at h = 4 nm and at h = 3 nm.",
        "At h = 1.5 nm: what the profile looks like where the two layers meet.",
    ),
    question=(
        "Why is the density higher everywhere in the 3 nm slit, although c is the same? What is "
        "different in the 1.5 nm slit?"
    ),
    answer=(
        "From 4 nm to 3 nm, the predicted peak grows from 0.881 M to 0.943 M and the midplane "
        "density from 0.573 M to 0.611 M, both by a factor of 1.07. Their ratio is 1.54 in both "
        "slits: each wall has its own layer, and the layers do not affect each other.\n\n"
        "The factor follows from the available space. The centre of an ion cannot come closer to a "
        "wall than half a diameter, so all ions share the width h − d. The mean density there is c "
        "times h/(h − d), which is 1.22 c at 4 nm and 1.31 c at 3 nm, a factor of 1.08.\n\n"
        "At 1.5 nm, the centres share only 0.79 nm, about one ion diameter. In a "
        "simulation (2 ns, seed 1), the two peaks of the positive ions are 0.66 nm apart, and the "
        "density falls from 1.232 ± 0.001 M there to 0.752 ± 0.001 M at the midplane. The layers "
        "overlap, and no flat part is left between them."
    ),
    criteria=(
        "States that the ratio of peak density to midplane density is the same at 4 nm and 3 nm.",
        "Attributes the higher density to the finite size of the ions: the "
        "accessible width h − d shrinks by a larger factor than h.",
        "States that the layers overlap at 1.5 nm, so that no bulk-like region is left.",
    ),
    cited=(
        Cited("0.881", 0, "peak"),
        Cited("0.943", 1, "peak"),
        Cited("0.573", 0, "midplane"),
        Cited("0.611", 1, "midplane"),
        Cited("1.07", 1, "peak", over=0),
        Cited("1.07", 1, "midplane", over=0),
        Cited("1.54", 0, "peak over midplane"),
        Cited("1.54", 1, "peak over midplane"),
        Cited("1.22", 0, "width over accessible width"),
        Cited("1.31", 1, "width over accessible width"),
        Cited("1.08", 1, "width over accessible width", over=0),
        Cited("0.79", 2, "accessible width", PB),
        Cited("0.66", 2, "distance of the peaks", MD, error=0.02),
        Cited("1.232", 2, "peak", MD, error=0.001),
        Cited("0.752", 2, "midplane", MD, error=0.001),
    ),
)
