"""Learns density profiles from simulations, and predicts them.

`Surrogate` predicts; it needs NumPy and LiteRT only. `training` makes models (TensorFlow),
`evaluation` says what they are worth on systems they never saw, `registry` finds them.
"""

from nanoconf.surrogate.model import ExtrapolationWarning as ExtrapolationWarning
from nanoconf.surrogate.model import Prediction as Prediction
from nanoconf.surrogate.model import Surrogate as Surrogate
