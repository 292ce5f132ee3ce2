"""From a manifest to batches of clips: the store, the sampler, the data set and the transforms."""
