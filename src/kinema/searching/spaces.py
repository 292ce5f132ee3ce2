"""Which encoders can search a table: those whose vectors are in the same space.

Embeddings of two encoders are in different spaces. Projections may share one: where a method aligns the heads of its
views, audio finds images and images find audio. A table of projections can therefore also be searched with the encoders
of its run's other views, which are recognised by a digest of all weights of the run. Projections have no centre: the
heads were trained with the plain cosine, which ``kinema evaluate cross-modal`` measures.
"""

from __future__ import annotations

from kinema.core.errors import DataError
from kinema.data.clips.joined import PLUS
from kinema.data.clips.reader import Model
from kinema.searching.schema import TableSettings
from kinema.searching.table_settings import check_settings


def check_same_space(settings: TableSettings, model: Model, uri: str) -> None:
    """Raises an error where an encoder cannot search a table.

    Args:
        settings: of the table.
        model: the encoder.
        uri: where the table is.

    Raises:
        DataError: the table is of another encoder or view, and not in the same space.
    """
    if model.view == settings.view:
        check_settings(settings, TableSettings.of(model, settings.windows, settings.space), uri)
        return
    if settings.space == "embedding":
        across = f" Views are compared by what a run's heads give: kinema embed RUN VIDEOS --view {settings.view} "
        across += "--space projection -o TABLE"
        joined = PLUS in settings.view or PLUS in model.view
        raise DataError(
            f"The table in '{uri}' holds embeddings of the view '{settings.view}', and the encoder that asks is of "
            f"'{model.view}': embeddings of two views are in different spaces.",
            f"Ask with --view {settings.view}." + ("" if joined else across),
        )
    if len(model.readers) > 1:
        raise DataError(
            f"The table in '{uri}' holds projections of the view '{settings.view}', and '{model.view}' are several.",
            f"Ask with one view of the run, for instance --view {settings.view}.",
        )
    ours = TableSettings.of(model, settings.windows, settings.space)
    if not settings.together or ours.together != settings.together or ours.dim != settings.dim:
        raise DataError(
            f"The table in '{uri}' holds projections of the view '{settings.view}', and the encoder of '{model.view}' "
            "that asks is of another run: their heads were not trained together.",
            f"Ask with the run that made the table, or with its encoder by --view {settings.view}.",
        )
