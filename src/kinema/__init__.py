"""Learns what moves, from video that nobody labelled."""
