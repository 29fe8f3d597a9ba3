"""The 3D tab."""
