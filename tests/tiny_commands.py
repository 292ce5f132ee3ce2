"""Settings under which a command line trains in seconds."""

SMALL = [
    "--epochs", "2", "--batch_size", "4", "--encoder.width", "4", "--clip.frames", "4", "--clip.stride", "1",
    "--clip.size", "16", "--clip.short_side", "16", "--method.queue", "8", "--method.stages", "2", "--method.k", "2",
    "--collapse_rank", "0", "--device", "cpu",
]  # fmt: skip
