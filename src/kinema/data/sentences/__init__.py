"""Sentences that protocols ask about: pairs with a score, and sentences with a class."""

from kinema.data.sentences.pairs import SentencePairs, read_pairs
from kinema.data.sentences.tasks import TASKS, TransferTask, TransferTasks, read_transfer

__all__ = ["TASKS", "SentencePairs", "TransferTask", "TransferTasks", "read_pairs", "read_transfer"]
