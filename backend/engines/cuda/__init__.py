"""CUDA molecular-dynamics engine."""
