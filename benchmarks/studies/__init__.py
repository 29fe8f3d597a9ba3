"""Long studies behind the defaults and the documentation: ``python -m benchmarks.studies``."""
