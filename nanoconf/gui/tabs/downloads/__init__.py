"""The Downloads tab."""
