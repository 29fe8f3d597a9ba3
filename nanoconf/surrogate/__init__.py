"""Neural-network surrogate of the simulations: training, prediction and evaluation.

`Surrogate` predicts density profiles and needs only NumPy and LiteRT. `training` trains models
with TensorFlow, `evaluation` compares them with simulations outside their training set, and
`lifecycle` finds, retrains and promotes them.
"""

from nanoconf.surrogate.model import ExtrapolationWarning as ExtrapolationWarning
from nanoconf.surrogate.model import Prediction as Prediction
from nanoconf.surrogate.model import Surrogate as Surrogate
