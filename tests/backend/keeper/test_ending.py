"""A training that the keeper has started ends, too. Runs: ``gui/server/test_ending.py``."""

import signal

from backend.keeper import learning
from backend.keeper.ending import interrupt_runs


def test_a_training_is_ended(home, tmp_path):
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    training = learning.start_training(home)
    training.send_signal(signal.SIGSTOP)
    assert not interrupt_runs(tmp_path / "link", timeout=0.1), "one that does not respond is left"
    training.send_signal(signal.SIGCONT)
    assert training.wait() == -signal.SIGTERM
    assert interrupt_runs(home)
