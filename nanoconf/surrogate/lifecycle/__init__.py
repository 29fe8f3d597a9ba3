"""The life of a model: where it is found, how it is retrained and when it is promoted."""
