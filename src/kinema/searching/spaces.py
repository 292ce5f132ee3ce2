"""Which encoder may ask a table.

Embeddings of two encoders lie in two spaces. Projections may lie in one: where a run's method leads the heads of its
views towards each other, a sound finds pictures and a picture sounds. A table of projections therefore also answers the
encoders of its run's other views, and knows them by a digest of all that the run learnt. Projections have no centre:
what is compared is the cosine that the heads learnt by, and that ``kinema evaluate cross-modal`` measures.
"""

from __future__ import annotations

from kinema.core.errors import DataError
from kinema.data.clips.reader import Model
from kinema.searching.schema import Making, check_made_by


def check_asks(made: Making, model: Model, uri: str) -> None:
    """Whether a table can be asked by an encoder.

    Args:
        made: how the table was made.
        model: the encoder.
        uri: where the table is.

    Raises:
        DataError: the encoder, or its view, is another, and they do not lie in one space.
    """
    if model.view == made.view:
        check_made_by(made, Making.of(model, made.windows, made.space), uri)
        return
    if made.space == "embedding":
        raise DataError(
            f"The table in '{uri}' holds embeddings of the view '{made.view}', and the encoder that asks is of "
            f"'{model.view}': embeddings of two views lie in two spaces.",
            f"Ask with --view {made.view}. Views are compared by what a run's heads give: kinema embed RUN VIDEOS "
            f"--view {made.view} --space projection -o TABLE",
        )
    ours = Making.of(model, made.windows, made.space)
    if not made.together or ours.together != made.together or ours.dim != made.dim:
        raise DataError(
            f"The table in '{uri}' holds projections of the view '{made.view}', and the encoder of '{model.view}' that "
            "asks is of another run: their heads were not trained together.",
            f"Ask with the run that made the table, or with its encoder by --view {made.view}.",
        )
