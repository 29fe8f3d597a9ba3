"""The Class tab, of the teacher's view."""
