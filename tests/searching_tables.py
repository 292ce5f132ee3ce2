"""Small models for search, and what a table holds, to be compared."""

import av
import numpy as np
from lived_towers import lived_tower

from kinema.core.clips import ClipSpec
from kinema.data.clips.reader import Model

CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)


def model_of(view="rgb", seed=0, clip=CLIP, name="made"):
    return Model(lived_tower("slim", view, seed=seed), view, clip, name=name)


def from_centre(features, centre):
    """Features as a table keeps them: from its centre, of unit length."""
    moved = np.asarray(features, dtype=np.float64) - centre.numpy()
    return moved / np.linalg.norm(moved, axis=-1, keepdims=True)


def rows_by_id(table, *columns):
    """All rows of a table in order of their ids, as columns of Python values."""
    held = table.to_arrow().sort_by("id")
    return held.select(list(columns) or held.schema.names).to_pydict()


def vectors_of(table, where="kind = 'window'"):
    """float32 [N, d], and the rows beside them."""
    held = table.search().where(where).to_arrow().sort_by("id")
    column = held["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1), held.drop_columns(["vector"]).to_pylist()


def write_wide(path):
    """Sixteen frames of noise, wider than high."""
    draw = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(16):
            picture = draw.integers(0, 256, (32, 64, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
