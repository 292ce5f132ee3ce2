"""What is embedded: pairs; or a folder of pictures alone, which words find though nobody wrote any beside them."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinema.data.documents.walking import files_below
from kinema.data.pairs.checking import checked
from kinema.data.pairs.listing import JSONL, LISTING
from kinema.data.pairs.reading import SUBTITLES
from kinema.data.pairs.table import Pair, Pairs
from kinema.data.pictures import claims_picture
from kinema.data.video.files import claims_video


def archive(config: Any, data: Any) -> Pairs:
    """The pairs of some data, none held out; of a folder in which no picture has a text, every picture.

    Args:
        config: the run's ``kinema.data.pairs.config.PairsConfig``.
        data: what a run could be trained on, or a folder of pictures.

    Raises:
        DataError: there are none.
    """
    if isinstance(data, str | Path) and Path(data).is_dir():
        pictures = _alone(Path(data).resolve())
        if pictures:
            root = Path(data).resolve()
            return Pairs(root, checked([Pair(name=path, image=path) for path in pictures], root))
    pairs: Pairs = dataclasses.replace(config, held_out=0.0).open(data)
    return pairs


def unknown_texts(model: Any, texts: list[str]) -> NDArray[np.bool_]:
    """Which texts hold no word that a run knows, bool [N].

    Args:
        model: a ``kinema.data.pairs.reader.PairReader``.
        texts: as they stand in a table; none is unknown where they are stored vectors.
    """
    coder = model.config.coder(Pairs(Path(), ()), model.run)
    unknown: NDArray[np.bool_] = np.zeros(len(texts), np.bool_) if coder is None else coder.coded(texts).unknown
    return unknown


def _alone(root: Path) -> list[str]:
    """The pictures of a folder that holds neither a table of pairs nor texts or subtitles of its files' names."""
    below, _ = files_below(root)
    if any((root / name).is_file() for name in (LISTING, "pairs.tsv", f"pairs{JSONL}")):
        return []
    texts = {PurePosixPath(path).with_suffix("") for path in below if path.lower().endswith((".txt", *SUBTITLES))}
    with_texts = [path for path in below if claims_picture(path) or claims_video(path)]
    if texts & {PurePosixPath(path).with_suffix("") for path in with_texts}:
        return []
    return [path for path in below if claims_picture(path)]
