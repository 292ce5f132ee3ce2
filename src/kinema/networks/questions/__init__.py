"""Networks of questions about videos: text, frames and where to look."""

from kinema.networks.questions.attention import LocalAttention, seen_by, windows
from kinema.networks.questions.config import START, QuestionEncoderConfig, QuestionNetName
from kinema.networks.questions.tower import Alignment, QuestionEncoder, QuestionTower

__all__ = [
    "START",
    "Alignment",
    "LocalAttention",
    "QuestionEncoder",
    "QuestionEncoderConfig",
    "QuestionNetName",
    "QuestionTower",
    "seen_by",
    "windows",
]
