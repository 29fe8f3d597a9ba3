"""The Uncertainty tab."""
