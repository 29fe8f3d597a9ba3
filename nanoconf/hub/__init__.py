"""nanoHUB and other HUBzero hubs: the Sim2L, and the page in a session of the hub."""
