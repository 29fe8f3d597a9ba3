"""The page in one file, which predicts without a server: ``nanoconf export-page``."""
