"""Questions about videos with several options: read from tables and known sets, with what is said and seen in time."""
