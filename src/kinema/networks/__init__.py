"""Networks: from what a method sees to features, a package a modality."""
