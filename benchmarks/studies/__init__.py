"""Long studies that the defaults and the docs rest on: ``python -m benchmarks.studies``."""
