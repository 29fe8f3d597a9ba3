"""The Trends tab."""
