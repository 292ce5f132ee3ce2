"""Tracklets of people: crops of one person by one camera in the order of time, and batches of them."""
