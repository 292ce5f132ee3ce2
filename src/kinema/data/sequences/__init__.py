"""Sequences of features: files of frames, activities, labels of frames, and batches of them."""
