"""A run that answers questions about made-up videos, and these videos with what lies beside them."""

import json
import shutil
from pathlib import Path

import numpy as np
from made_questions import made_features, write_questions
from searching_tables import model_of

import kinema
from kinema import api

QUESTION = "What do they do in the garden?"


def write_asked(root, write_video):
    """``data`` with a run's questions, ``run`` that learnt from it, and ``eyes``, the run that its features name."""
    root, eyes = Path(root), model_of()
    kinema.export(eyes, root / "eyes", licence="CC0")
    data = write_questions(root / "data", videos=8, width=eyes.dim)
    about = {"frames_a_second": 2.0, "run": str(root / "eyes"), "view": "rgb"}
    (data / "features/features.json").write_text(json.dumps(about))
    write_video(data / "videos/v3.mp4", (0, 0), seed=3, frames=200)
    (data / "videos/show").mkdir()
    shutil.copy(data / "videos/v3.mp4", data / "videos/show/bare.mp4")
    settings = {"epochs": 3, "batch_size": 8, "method_settings": {"pretrain_epochs": 0}, "logger": "none"}
    api.pretrain("video-qa", data, root / "run", device="cpu", **settings)
    return root


def features_of(video, **changes):
    """The features of a made-up video, float32 [16, D]."""
    return made_features(video, model_of().dim, **changes).astype(np.float32)
