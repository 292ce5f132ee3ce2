"""One way out for every format: checked first, made and compared in memory, written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinema.core.errors import UsageError
from kinema.core.files import refuse_existing, write_atomic
from kinema.core.guesses import choose_from
from kinema.data.clips.reader import Model
from kinema.data.documents.reader import TextReader
from kinema.exporting.agreement import Difference
from kinema.exporting.folder import write_export
from kinema.exporting.onnx_file import make_onnx
from kinema.exporting.origin import origin_of
from kinema.exporting.program import make_program
from kinema.exporting.sentence_transformers import write_sentence_transformers
from kinema.exporting.settings import NOT_STATED, settings_of, settings_to_plain
from kinema.exporting.text_card import text_card

FORMATS = {
    "safetensors": "a folder with weights, settings and a card, which kinema.load reads",
    "onnx": "an ONNX file for other programs, compared with the model in ONNX Runtime",
    "program": "a program of PyTorch (torch.export.load), without kinema's code",
    "sentence-transformers": "a folder that SentenceTransformer(DIR) loads",
}
OF_TEXT = ("sentence-transformers",)
"""The formats of a model that reads text; the others are of one that reads video."""


@dataclass(frozen=True)
class Exported:
    """What an export came to.

    Args:
        path: the folder or file.
        format: which of ``FORMATS``.
        view: the view that the encoder sees.
        size: bytes of all files.
        difference: how far its outputs are from the model's; None for safetensors, which holds the weights themselves.
    """

    path: Path
    format: str
    view: str
    size: int
    difference: Difference | None


def check_request(format: str, out: Path) -> None:
    """Refuses, before anything is loaded, what :func:`export_model` would refuse.

    Raises:
        UsageError: there is no such format.
        StorageError: there is something at ``out``.
    """
    if format not in FORMATS:
        raise UsageError(f"There is no format '{format}'.", choose_from(format, FORMATS))
    refuse_existing(out)


def export_model(
    model: Model | TextReader, out: Path, *, format: str = "safetensors", licence: str | None = None
) -> Exported:
    """Writes a model for others.

    Args:
        model: what is written.
        out: the folder (safetensors) or file; must not exist.
        format: one of ``FORMATS``.
        licence: the licence of the weights, in your words.

    Raises:
        UsageError: there is no such format, or it is none of what the model reads.
        StorageError: there is something at ``out``, or it cannot be written.
        MissingExtraError: ONNX without the extra kinema[onnx].
        ExportError: the encoder cannot be traced, or the export computes something else.
    """
    check_request(format, out)
    if model.modality not in ("video", "text"):
        raise UsageError(
            f"'{model.run or model.name}' reads {model.unit}, and only encoders of video and text are exported.",
            "Its weights lie in the run: phases/*/tower-*.safetensors.",
        )
    stated = (licence or "").strip().rstrip(".") or NOT_STATED
    if isinstance(model, TextReader) != (format in OF_TEXT):
        reads, fitting = ("text", OF_TEXT) if isinstance(model, TextReader) else ("video", _of_video())
        raise UsageError(f"The model reads {reads}, which is not written as {format}.", f"Take {' or '.join(fitting)}.")
    if isinstance(model, TextReader):
        about = text_card(model, origin_of(model), stated)
        write_sentence_transformers(model.tower, model.tokenizer, out, max_length=model.max_length, card=about)
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        return Exported(out, format, model.view, size, None)
    if format == "safetensors":
        write_export(model, stated, out)
        size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        return Exported(out, format, model.view, size, None)
    about = json.dumps(_about(model, stated), ensure_ascii=False)
    content, difference = (make_onnx if format == "onnx" else make_program)(model, about)
    write_atomic(out, lambda file: file.write(content))
    return Exported(out, format, model.view, len(content), difference)


def _about(model: Model, licence: str) -> Any:
    """The settings of a model as JSON values; of several encoders a list, in the order of the inputs."""
    each = [settings_to_plain(settings_of(own, licence=licence, origin=origin_of(own))) for own in model.readers]
    return each[0] if len(each) == 1 else each


def _of_video() -> list[str]:
    return [name for name in FORMATS if name not in OF_TEXT]
