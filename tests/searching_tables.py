"""Small models for search, and what a table holds, to be compared."""

from lived_towers import lived_tower

from kinema.core.records import ClipSpec
from kinema.model import Model

CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)


def model_of(view="rgb", seed=0, clip=CLIP, name="made"):
    return Model(lived_tower("slim", view, seed=seed), view, clip, name=name)


def rows_by_id(table, *columns):
    """All rows of a table in order of their ids, as columns of Python values."""
    held = table.to_arrow().sort_by("id")
    return held.select(list(columns) or held.schema.names).to_pydict()


def vectors_of(table, where="kind = 'window'"):
    """float32 [N, d], and the rows beside them."""
    held = table.search().where(where).to_arrow().sort_by("id")
    column = held["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1), held.drop_columns(["vector"]).to_pylist()
