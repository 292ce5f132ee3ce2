"""Protocols: what is asked of a trained model, on which data, and which figures come of it."""
