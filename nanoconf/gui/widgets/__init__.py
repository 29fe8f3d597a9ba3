"""The parts of the page. Each shows the state and calls it or `Work`; none knows another."""
