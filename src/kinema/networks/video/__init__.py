"""Networks from one view of a clip to a feature."""
