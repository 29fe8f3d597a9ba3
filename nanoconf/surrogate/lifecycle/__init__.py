"""Life cycle of models: search, retraining and promotion."""
