"""Drives any method through the four verbs: phases, checkpoints, run folders. Knows no method by name."""
