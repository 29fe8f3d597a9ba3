"""Charged walls, ion size, and the limits of theory and surrogate."""

from __future__ import annotations

from backend.system import SlitSystem
from nanoconf.gui.figures.plots import MD, PB
from nanoconf.gui.tabs.lessons.lesson_task import Cited, Setup, Task
from nanoconf.gui.tabs.registry import CHARGE_DENSITY, INTEGRATED, NEGATIVE, POSITIVE


def _charged(concentration: float) -> SlitSystem:
    return SlitSystem(
        confinement_length=6.0,
        salt_concentration=concentration,
        positive_diameter=0.5,
        surface_charge_density=-0.02,
    )


CROWDED = SlitSystem(confinement_length=4.0, salt_concentration=0.9, surface_charge_density=-0.05)

SCREENING = Task(
    key="screening",
    title="Charged walls and screening",
    goal="See how ions screen the charge of a wall, and what sets the screening distance.",
    ask=(
        "Each wall now carries a charge of −0.02 C/m². Positive ions gather at the walls and "
        "screen it. The salt concentration rises from 0.2 M to 0.4 M. What happens to the "
        "distance beyond which the wall's charge is hardly felt?"
    ),
    options=(
        "It grows: more ions take up more space.",
        "It stays the same: the charge of the wall is the same.",
        "It shrinks: more ions screen the charge within a shorter distance.",
    ),
    setups=(
        Setup(
            "c = 0.2 M",
            _charged(0.2),
            INTEGRATED,
            "Note the screening length z* of each curve.",
            mean_field=True,
            simulation_only=True,
        ),
        Setup(
            "c = 0.4 M",
            _charged(0.4),
            INTEGRATED,
            "Note z* again. How does it compare with the Debye length?",
            mean_field=True,
            simulation_only=True,
        ),
        Setup(
            "large ions, c = 0.9 M, σ = −0.05 C/m²",
            CROWDED,
            INTEGRATED,
            "Does the integrated charge change sign in the simulation? And in the theory?",
            mean_field=True,
            simulation_only=True,
        ),
    ),
    look=(
        "The integrated charge. At the left wall, it is the wall's charge; at the midplane, it is "
        "zero. The theory (PB) is shown at once, the simulation after Run.",
        "The line z*: the distance from the wall at which about 5 % of its charge is still "
        "unscreened.",
        "The negative ions near the walls, on the Negative Ion Density tab.",
    ),
    question=(
        "How does z* change from 0.2 M to 0.4 M? The Debye length falls from 0.68 nm to 0.48 nm. "
        "Which ions screen the wall, and what is new in the crowded system?"
    ),
    answer=(
        "In Poisson-Boltzmann theory, z* falls from 2.05 nm to 1.59 nm. In simulations (2 ns, "
        "seed 1), it falls from 1.84 ± 0.07 nm to 1.33 ± 0.08 nm. The distance is longer in the "
        "theory, which neglects correlations and excluded volume. The Debye length falls "
        "in proportion to 1/√c, from 0.68 nm to 0.48 nm. z* falls a little less: it is measured "
        "from the wall, and no ion centre can be in the first 0.25 nm, half a diameter.\n\n"
        "Both species screen. Positive ions gather at the wall and negative ions leave it: each "
        "missing negative ion counts as an additional positive charge.\n\n"
        "In the crowded system, the first layer overcompensates the charge of the wall. "
        "The integrated charge changes sign and reaches 13.0 ± 0.6 % of the wall's charge. "
        "This overscreening comes from layering. In the theory, the integrated charge never "
        "changes sign."
    ),
    criteria=(
        "States that z* shrinks when salt is added, like the Debye length but a little less.",
        "Names both the positive ions that gather and the negative ions that are missing.",
        "Describes the change of sign as overscreening, and notices that the theory misses it.",
    ),
    cited=(
        Cited("2.05", 0, "screening length", PB),
        Cited("1.59", 1, "screening length", PB),
        Cited("1.84", 0, "screening length", MD, error=0.07),
        Cited("1.33", 1, "screening length", MD, error=0.08),
        Cited("0.68", 0, "Debye length", PB),
        Cited("0.48", 1, "Debye length", PB),
        Cited("0.25", 0, "half a diameter", PB),
        Cited("13.0", 2, "overscreening", MD, error=0.6),
    ),
)

SIZE = Task(
    key="size",
    title="Ion size",
    goal="Separate the effect of the ions' size from that of their number.",
    ask=(
        "At c = 0.9 M, the diameter of all ions grows from 0.5 nm to 0.75 nm. The number of ions "
        "and the slit stay the same. What changes most?"
    ),
    options=(
        "The density at the midplane.",
        "The density near the walls.",
        "Nothing: the concentration is the same.",
    ),
    setups=(
        Setup(
            "d = 0.5 nm",
            SlitSystem(salt_concentration=0.9, positive_diameter=0.5),
            POSITIVE,
            "Note the peak and the density at the midplane.",
        ),
        Setup(
            "d = 0.75 nm",
            SlitSystem(salt_concentration=0.9, positive_diameter=0.75),
            POSITIVE,
            "Note the peak and the density at the midplane. Where have the ions come from?",
        ),
        Setup(
            "d = 0.75 nm, d₋ = 0.5 nm",
            SlitSystem(positive_diameter=0.75, negative_diameter=0.5),
            CHARGE_DENSITY,
            "Which charge lies closest to the walls, and why?",
            mean_field=True,
            simulation_only=True,
        ),
    ),
    look=(
        "The peak, the midplane, and the distance of the peak from the wall.",
        "With ions of unequal size: the sign of the charge next to a wall, and farther away.",
    ),
    question=(
        "By what factors do the peak, the midplane density and the ion volume change? With ions of "
        "unequal size, why is there a charge near walls that carry none?"
    ),
    answer=(
        "The predicted peak grows from 1.31 M to 2.57 M, by a factor of 2.0; the midplane density "
        "hardly changes (1.05 M and 1.02 M). The number of ions is the same, but each takes up "
        "(0.75/0.5)³ = 3.4 times the volume: the ions fill 24 % of the slit instead of 7 %. Larger "
        "ions collide more often, and more of them are pressed into the layers at the walls. The "
        "ions in the higher peaks come from the dips beside them.\n\n"
        "The centres of the smaller ions come 0.125 nm closer to the walls than those of the "
        "larger ones. With smaller negative ions, the charge next to a wall is therefore negative, "
        "and positive farther away. In a simulation (2 ns, seed 1), the charge "
        "density reaches −0.726 ± 0.001 e·M, and the potential of the walls is −3.79 ± 0.08 mV. "
        "Theory gives −3.92 mV: it includes the distances of closest approach, which dominate here."
    ),
    criteria=(
        "States that, at the same c, the peak changes greatly and the midplane density hardly at "
        "all.",
        "Uses the volume fraction (diameter cubed), not the concentration, as a measure of "
        "crowding.",
        "Attributes the charge near neutral walls to the different distances of closest approach.",
    ),
    cited=(
        Cited("1.31", 0, "peak"),
        Cited("2.57", 1, "peak"),
        Cited("2.0", 1, "peak", over=0),
        Cited("1.05", 0, "midplane"),
        Cited("1.02", 1, "midplane"),
        Cited("3.4", 1, "packing", over=0),
        Cited("24", 1, "packing"),
        Cited("7", 0, "packing"),
        Cited("0.125", 2, "difference of contact planes", PB),
        Cited("−0.726", 2, "lowest charge density", MD, error=0.001),
        Cited("−3.79", 2, "wall potential", MD, error=0.08),
        Cited("−3.92", 2, "wall potential", PB),
    ),
)

TRUST = Task(
    key="trust",
    title="What to trust",
    goal=(
        "See where mean-field theory fails, and find out when a machine-learning surrogate can be "
        "trusted."
    ),
    ask=(
        "Poisson-Boltzmann theory treats ions as points that feel only the mean potential of the "
        "others. System A is a dilute salt of small monovalent ions (1:−1, 0.3 M, d = 0.5 nm). "
        "System B has large trivalent ions at high concentration (3:−1, 0.9 M, d = 0.75 nm). The "
        "walls are uncharged. For which system does the theory give the right profile?"
    ),
    options=("Both.", "A only.", "B only.", "Neither."),
    setups=(
        Setup(
            "A: 1:−1, 0.3 M, d = 0.5 nm",
            SlitSystem(confinement_length=3.6, salt_concentration=0.3, positive_diameter=0.5),
            NEGATIVE,
            "Compare the theory (PB) with the prediction (ML): how far apart are the peaks?",
            mean_field=True,
        ),
        Setup(
            "B: 3:−1, 0.9 M, d = 0.75 nm",
            SlitSystem(
                confinement_length=3.6,
                positive_valency=3,
                salt_concentration=0.9,
                positive_diameter=0.75,
            ),
            NEGATIVE,
            "Compare again. Then press Run: do the points of the simulation lie on the ML curve?",
            mean_field=True,
        ),
        Setup(
            "C: same as B, but h = 6 nm",
            SlitSystem(
                confinement_length=6.0,
                positive_valency=3,
                salt_concentration=0.9,
                positive_diameter=0.75,
            ),
            NEGATIVE,
            "Read the message in place of the prediction. Why does the page not show a prediction?",
            mean_field=True,
            simulation_only=True,
            duration_ns=0.5,
        ),
    ),
    look=(
        "For A and B: the difference between PB and ML, near the walls and at the midplane.",
        "For B: the points of a simulation, their error bars, and the band around the ML curve.",
        "For C: the message in place of the prediction, and the shaded ranges under the sliders.",
    ),
    question=(
        "Where does the theory fail, and why? What makes you trust the ML curve for B? What would "
        "you have to do for C, or for real salt water?"
    ),
    answer=(
        "For A, the peak of the prediction (0.358 M) and that of the theory (0.350 M) are 2 % "
        "apart. For B, the predicted peak of the negative ions is 1.89 M, 1.65 times the 1.15 M of "
        "the theory. Between uncharged walls, and with ions of equal size, the mean potential is "
        "zero and the theory gives a flat profile. Everything else is due to the ions' size and "
        "to correlations: each ion affects the arrangement of its neighbours. Both matter more at "
        "higher concentrations; size also matters more for larger ions, and correlations at higher "
        "valencies.\n\n"
        "The surrogate was trained on simulations, but not on one of B: for B, it interpolates "
        "between other systems. A simulation of B (2 ns, seed 1) gives a peak of "
        "1.897 ± 0.005 M, which agrees with the prediction. Inside the training range, the typical "
        "error is known from simulations that were not used for training (see the top of the page "
        "and the About tab). Outside, as for C, the error is unknown, so the page "
        "shows no prediction: only a simulation can tell.\n\n"
        "Both the prediction and the simulation use a model: charged soft spheres in a uniform "
        "solvent between smooth walls. Neither shows the effect of water molecules, of rough walls "
        "or of image charges. Only an experiment can tell whether the model fits real salt water."
    ),
    criteria=(
        "States, with numbers, that the theory works for A and fails for B.",
        "Names the causes: ion size and correlations, which mean-field theory leaves out.",
        "Bases trust in the surrogate on a test against simulations that it was not trained on, "
        "and limits that trust to the training range.",
        "Distinguishes the error of the surrogate from the limits of the model.",
    ),
    cited=(
        Cited("0.358", 0, "peak", species="negative"),
        Cited("0.350", 0, "peak", PB, species="negative"),
        Cited("1.89", 1, "peak", species="negative"),
        Cited("1.65", 1, "peak, ML over PB", species="negative"),
        Cited("1.15", 1, "peak", PB, species="negative"),
        Cited("1.897", 1, "peak", MD, species="negative", error=0.005),
    ),
)
