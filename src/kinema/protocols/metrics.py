"""Figures that several protocols have in common, as a report writes them."""

from __future__ import annotations

from kinema.core.protocol import Metric

ACCURACY = {
    "accuracy": Metric("Accuracy", inline="accuracy"),
    "accuracy_top5": Metric("Top-5 accuracy", inline="top-5 accuracy"),
    "mean_class_accuracy": Metric("Accuracy, mean of classes", inline="mean accuracy of the classes"),
}
"""Of protocols that name a class."""
