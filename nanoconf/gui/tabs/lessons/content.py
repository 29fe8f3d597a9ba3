"""Texts, setups and cited numbers of the lessons, as plain data.

`tests/nanoconf/gui/tabs/lessons/test_content.py` recomputes every cited number.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.system import SlitSystem
from nanoconf.gui.figures.plots import MD, ML, PB
from nanoconf.gui.tabs.registry import (
    CHARGE_DENSITY,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    PREDICTION,
    TRENDS,
)

SIMULATED_NS = 2.0
"""Length (ns) of the simulations of the lessons."""


@dataclass(frozen=True)
class Setup:
    """Inputs that a button of a lesson sets.

    Attributes
    ----------
    label : str
        Name of the setup.
    system : SlitSystem
        The system.
    tab : str
        Title of the tab or figure that is selected.
    look : str
        What to look at, in one sentence.
    mean_field : bool
        Show Poisson-Boltzmann theory.
    simulation_only : bool
        True if the surrogate is not trained for the system.
    duration_ns : float
        Length of a simulation (ns).
    """

    label: str
    system: SlitSystem
    tab: str
    look: str
    mean_field: bool = False
    simulation_only: bool = False
    duration_ns: float = SIMULATED_NS


@dataclass(frozen=True)
class Cited:
    """A number in an answer, and how to compute it.

    Attributes
    ----------
    text : str
        The number as it appears in the answer, without its unit.
    setup : int
        Index of the setup in the lesson.
    quantity : str
        Name of the quantity: see the test.
    source : {"ML", "PB", "MD"}
        The surrogate, Poisson-Boltzmann theory, or a simulation.
    species : {"positive", "negative"}
        The ions.
    over : int, optional
        Index of a setup; the number is the ratio to the same quantity there.
    error : float
        Standard error of a simulated number.
    """

    text: str
    setup: int
    quantity: str
    source: str = ML
    species: str = "positive"
    over: int | None = None
    error: float = 0.0


@dataclass(frozen=True)
class Task:
    """A lesson.

    Attributes
    ----------
    key : str
        Name under which the answers are stored.
    title : str
        Title.
    goal : str
        What the student learns.
    ask : str
        Question that is answered before anything is shown.
    options : tuple of str
        Predictions to choose from.
    setups : tuple of Setup
        Inputs to set, in order.
    look : tuple of str
        What to look at.
    question : str
        Question that is answered at the end.
    answer : str
        The answer; blank lines separate paragraphs.
    criteria : tuple of str
        What a good answer says.
    cited : tuple of Cited
        The computed numbers in the answer.
    """

    key: str
    title: str
    goal: str
    ask: str
    options: tuple[str, ...]
    setups: tuple[Setup, ...]
    look: tuple[str, ...]
    question: str
    answer: str
    criteria: tuple[str, ...]
    cited: tuple[Cited, ...]


INTRODUCTION = (
    "Six short lessons on ions between two walls. In each, predict first, then set the inputs, "
    "look at the figure, and answer a question. Your answers are stored in this browser only."
)

# --- 1 --------------------------------------------------------------------------------------

CROWDING = Task(
    key="crowding",
    title="Crowding",
    goal=(
        "See how the profile changes when more salt is dissolved, and why ions collect at walls "
        "that do not attract them."
    ),
    ask=(
        "The slit is 3 nm wide and its walls are uncharged. The salt concentration c rises from "
        "0.3 M to 0.9 M, to three times its value. What happens to the density of the ions near "
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
            "all concentrations",
            SlitSystem(salt_concentration=0.9),
            TRENDS,
            "Vary the salt concentration. At which c does a second layer appear?",
        ),
    ),
    look=(
        "The height of the peak near a wall, and the density at the midplane (z = 0). Move the "
        "pointer over the figure to read values.",
        "At 0.9 M: the dip beside each peak, and the second, lower peak further inside.",
    ),
    question=(
        "By what factor does the peak grow, and by what factor the density at the midplane? The "
        "walls do not attract ions: what pushes them there?"
    ),
    answer=(
        "The predicted peak grows from 0.485 M to 2.29 M, by a factor of 4.7. The density at the "
        "midplane grows from 0.378 M to 1.01 M, by a factor of 2.7.\n\n"
        "The other ions push. Ions have a size: they fill 6.9 % of the slit at 0.3 M and 20.7 % at "
        "0.9 M. An ion inside the slit is hit from all sides, an ion at a wall only from the "
        "inside, so collisions press it against the wall. In terms of entropy, an ion at the wall "
        "leaves more room for the others.\n\n"
        "At 0.9 M, the dense layer at the wall acts on the next ions as a wall itself. The density "
        "falls to 0.81 M behind the layer and rises again to a second peak, about one ion diameter "
        "further inside."
    ),
    criteria=(
        "Compares both factors with 3, so the profile does not keep its shape.",
        "Explains the peak by the size of the ions (collisions, excluded volume or entropy), not "
        "by an attraction to the wall.",
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

# --- 2 --------------------------------------------------------------------------------------

VALENCY = Task(
    key="valency",
    title="Valency",
    goal="See how the charge of an ion changes its density near a wall that carries no charge.",
    ask=(
        "The valency of the positive ions rises from z₊ = 1 to 2 and 3. The negative ions stay "
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
            (1, "Both ions have the same profile. How does it change towards the wall?"),
            (2, "Compare the positive ions at |z| = 1.1 nm with those at the midplane."),
            (3, "Compare again. Do the negative ions follow the positive ones?"),
        )
    ),
    look=(
        "The positive ions in the last 0.3 nm before the wall: rising or falling?",
        "The negative ions: do they follow the positive ones?",
        "With z₊ = 3: the figure Potential. The walls carry no charge.",
    ),
    question=(
        "Divide the density of the positive ions at |z| = 1.1 nm by that at the midplane, for each "
        "valency. Why does a highly charged ion avoid a wall that carries no charge?"
    ),
    answer=(
        "The ratio is 1.05 for z₊ = 1, 0.86 for z₊ = 2 and 0.62 for z₊ = 3: the higher the "
        "valency, the stronger the depletion.\n\n"
        "In solution, each ion is surrounded by a cloud of opposite charge, which lowers its "
        "energy. Near a wall, part of the cloud is missing, because no ions are behind the wall. "
        "The rest of the cloud pulls the ion back. The energy of the cloud grows rapidly with the "
        "valency, so trivalent ions are depleted most. For monovalent ions, crowding (lesson 1) is "
        "slightly stronger, and they accumulate.\n\n"
        "The negative ions are depleted less (their ratio is 0.91 for z₊ = 3), so the solution is "
        "negative near the walls and positive inside. The potential of the uncharged walls is "
        "4.7 mV below that of the midplane. Image charges play no role: in this model, the "
        "permittivity is the same on both sides of a wall."
    ),
    criteria=(
        "Gives ratios that fall with the valency, from slight accumulation to depletion.",
        "Explains the depletion by the ion's cloud of opposite charge, which is incomplete near a "
        "wall, and not by a force of the wall.",
        "Notices that the two ions separate, so that there is a potential without wall charge.",
    ),
    cited=(
        Cited("1.05", 0, "at 1.1 nm"),
        Cited("0.86", 1, "at 1.1 nm"),
        Cited("0.62", 2, "at 1.1 nm"),
        Cited("0.91", 2, "at 1.1 nm", species="negative"),
        Cited("4.7", 2, "potential drop"),
    ),
)

# --- 3 --------------------------------------------------------------------------------------

CONFINEMENT = Task(
    key="confinement",
    title="Confinement",
    goal="See when the layers at two walls are independent of each other, and when they merge.",
    ask=(
        "The slit is narrowed from 4 nm to 3 nm. The salt concentration c = 0.5 M, which counts "
        "ions over the whole width, stays the same. What happens to the profile?"
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
            "Note the same two densities. Divide the peak by the midplane in both slits.",
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
        "The ratio of the peak to the midplane at h = 4 nm and at h = 3 nm.",
        "At h = 1.5 nm: how the profile looks where the two layers meet.",
    ),
    question=(
        "Why is the density higher everywhere in the 3 nm slit, although c is the same? What is "
        "different in the 1.5 nm slit?"
    ),
    answer=(
        "From 4 nm to 3 nm, the predicted peak grows from 0.881 M to 0.943 M and the midplane from "
        "0.573 M to 0.611 M, both by a factor of 1.07. The peak is 1.54 times the midplane in both "
        "slits: each wall has its own layer, and the layers do not affect each other.\n\n"
        "The factor is a matter of space. The centre of an ion cannot come closer to a wall than "
        "half a diameter, so all ions share the width h − d. The mean density there is c times "
        "h/(h − d), which is 1.22 c at 4 nm and 1.31 c at 3 nm, an increase by a factor of 1.08.\n\n"
        "At 1.5 nm, the centres share only 0.79 nm, about one ion diameter. In a "
        "simulation (2 ns, seed 1), the two peaks of the positive ions are 0.66 nm apart, and the "
        "density falls from 1.232 ± 0.001 M there to 0.752 ± 0.001 M at the midplane. The layers "
        "have merged, and no flat part is left between them."
    ),
    criteria=(
        "States that the ratio of peak to midplane is the same at 4 nm and 3 nm.",
        "Explains the higher density by the space that the ions' size takes from the slit: the "
        "accessible width h − d shrinks faster than h.",
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

# --- 4 --------------------------------------------------------------------------------------


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
    goal="See how ions screen the charge of a wall, and what sets the distance that this takes.",
    ask=(
        "Each wall now carries a charge of −0.02 C/m². Positive ions gather at the walls and "
        "screen it. The salt concentration rises from 0.2 M to 0.4 M. How does the distance change "
        "beyond which almost nothing of the wall's charge is felt?"
    ),
    options=(
        "It grows: more ions take more space.",
        "It stays: the charge of the wall is the same.",
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
            "Does the integrated charge of the simulation change its sign? That of the theory?",
            mean_field=True,
            simulation_only=True,
        ),
    ),
    look=(
        "The integrated charge. At the left wall, it is the wall's charge; at the midplane, it is "
        "zero. The theory (PB) is shown at once, the simulation after Run.",
        "The line z*: the distance from the wall at which about 5 % of its charge is left.",
        "The negative ions near the walls, in the tab Negative Ion Density.",
    ),
    question=(
        "How does z* change from 0.2 M to 0.4 M? The Debye length falls from 0.68 nm to 0.48 nm. "
        "Which ions screen the wall, and what is new in the crowded system?"
    ),
    answer=(
        "In Poisson-Boltzmann theory, z* falls from 2.05 nm to 1.59 nm. In simulations (2 ns, "
        "seed 1), it falls from 1.84 ± 0.07 nm to 1.33 ± 0.08 nm. The distance is longer in the "
        "theory, which neglects the order and the size of the ions. The Debye length falls "
        "in proportion to 1/√c, from 0.68 nm to 0.48 nm. z* falls a little less: it is measured "
        "from the wall, and no ion centre can be in the first 0.25 nm, half a diameter.\n\n"
        "Both species screen. Positive ions gather at the wall and negative ions leave it: each "
        "missing negative ion counts like an additional positive charge.\n\n"
        "In the crowded system, the first layer contains more positive charge than the wall needs. "
        "The integrated charge changes its sign and reaches 13.0 ± 0.6 % of the wall's charge. "
        "This overscreening comes from layering. In the theory, the integrated charge never "
        "changes its sign."
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

# --- 5 --------------------------------------------------------------------------------------

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
            "Note the peak and the midplane.",
        ),
        Setup(
            "d = 0.75 nm",
            SlitSystem(salt_concentration=0.9, positive_diameter=0.75),
            POSITIVE,
            "Note the peak and the midplane. Where have the ions come from?",
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
        "With unequal ions: the sign of the charge density next to a wall, and behind it.",
    ),
    question=(
        "By what factors do the peak, the midplane and the volume of the ions change? With unequal "
        "ions, why is there a charge near walls that carry none?"
    ),
    answer=(
        "The predicted peak grows from 1.31 M to 2.57 M, by a factor of 2.0, while the midplane "
        "hardly changes (1.05 M and 1.02 M). The number of ions is the same, but each takes "
        "(0.75/0.5)³ = 3.4 times the volume: the ions fill 24 % of the slit instead of 7 %. Larger "
        "ions collide more often, and more of them are pressed into the layers at the walls. The "
        "ions in the higher peaks come from the dips beside them.\n\n"
        "The centres of the smaller ions come 0.125 nm closer to the walls than those of the "
        "larger ones. With smaller negative ions, the charge next to a wall is therefore negative, "
        "and positive ions follow behind it. In a simulation (2 ns, seed 1), the charge "
        "density reaches −0.726 ± 0.001 e·M, and the potential of the walls is −3.79 ± 0.08 mV. "
        "Theory gives −3.92 mV: it knows the distances of closest approach, which decide here."
    ),
    criteria=(
        "States that the peak changes by much and the midplane hardly, at equal concentration.",
        "Uses the volume fraction (diameter cubed), not the concentration, as a measure of "
        "crowding.",
        "Explains the charge near neutral walls by the different distances of closest approach.",
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

# --- 6 --------------------------------------------------------------------------------------

TRUST = Task(
    key="trust",
    title="What to trust",
    goal=(
        "See where mean-field theory fails, and find out what a machine-learning surrogate may be "
        "trusted for."
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
            "C: as B, h = 6 nm",
            SlitSystem(
                confinement_length=6.0,
                positive_valency=3,
                salt_concentration=0.9,
                positive_diameter=0.75,
            ),
            NEGATIVE,
            "There is no ML prediction. Why does the page not draw one all the same?",
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
        "to the order that each ion imposes on its neighbours. Both grow with concentration, "
        "diameter and valency.\n\n"
        "The surrogate was trained on simulations, but not on that of B: there it interpolates "
        "between other systems. A simulation of B (2 ns, seed 1) gives a peak of "
        "1.897 ± 0.005 M, which agrees with the prediction. Inside the training range, its typical error is known from simulations "
        "that were not used for training (see the top of the page and the tab About). Outside, as "
        "for C, its error is unknown, so the page refuses and a simulation has to decide.\n\n"
        "Prediction and simulation describe a model: charged soft spheres in uniform water between "
        "smooth walls. Neither shows the effect of water molecules, of rough walls or of image "
        "charges. Whether the model fits real salt water, only an experiment can tell."
    ),
    criteria=(
        "States that the theory works for A and fails for B, with numbers.",
        "Names the causes: ion size and correlations, which the mean field leaves out.",
        "Bases trust in the surrogate on a test against simulations that it was not trained on, "
        "and limits it to the training range.",
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

TASKS = (CROWDING, VALENCY, CONFINEMENT, SCREENING, SIZE, TRUST)
"""All lessons, in order."""

TYPICAL_ERRORS = {
    ("confinement", 2): 0.11,
    ("screening", 0): 0.28,
    ("screening", 1): 0.25,
    ("screening", 2): 0.42,
    ("size", 2): 0.18,
    ("trust", 1): 0.59,
}
"""Median standard errors (%) of the profiles of the simulations that the answers cite."""


def cited_runs() -> list[str]:
    """Describe the simulations that the answers cite."""
    tasks = {task.key: (number, task) for number, task in enumerate(TASKS, 1)}
    return [
        f"Lesson {tasks[key][0]}, {tasks[key][1].setups[setup].label}: "
        f"{SIMULATED_NS:g} ns, seed 1, median standard error of the profiles {error:g} %"
        for (key, setup), error in TYPICAL_ERRORS.items()
    ]
