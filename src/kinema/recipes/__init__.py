"""What to run: plans that a user sets, the phases they come to, the table of methods, and recipes as JSON."""
