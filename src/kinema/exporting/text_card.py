"""The card of an exported model of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kinema.core.version import RELEASE
from kinema.data.documents.reader import TextReader
from kinema.exporting.header import header


def text_card(model: TextReader, origin: Mapping[str, Any], licence: str) -> str:
    """The card as Markdown, with the header that model hubs read.

    Args:
        model: what is written.
        origin: where it came from; see :func:`kinema.exporting.origin.origin_of`.
        licence: of the weights.
    """
    encoder = model.tower.encoder
    evaluations = origin.get("evaluations", [])
    count = sum(parameter.numel() for parameter in encoder.parameters())
    parts = [
        header(
            "sentence-transformers",
            "sentence-similarity",
            ["sentence-transformers", model.name],
            licence,
            model.name,
            [row for row in evaluations if row["encoder"] == model.name],
        ),
        f"# {model.name}\n\nAn encoder of sentences, trained without labels with kinema {RELEASE}: the mean of the "
        f"tokens' states of a network with {count:,} parameters, float32 [{model.dim}], not normalised; texts longer "
        f"than {model.max_length} tokens are cut.\n",
        "## Use it\n\n```python\nfrom sentence_transformers import SentenceTransformer\n\n"
        'model = SentenceTransformer("DIR")\nz = model.encode(["a sentence", "another one"])\n```\n',
        _training(origin),
        _figures(evaluations),
        f"## Licence\n\nOf these weights: {licence}.\n",
    ]
    if origin.get("recipe"):
        parts.append(f"## Recipe\n\n```json\n{json.dumps(origin['recipe'], indent=2, ensure_ascii=False)}\n```\n")
    return "\n".join(part for part in parts if part)


def _training(origin: Mapping[str, Any]) -> str:
    if not origin:
        return "## Training\n\nNot known: the model was exported without its run.\n"
    data = origin.get("data", {})
    return (
        f"## Training\n\nBy the method `{origin.get('method')}` on {data.get('videos')} documents of "
        f"`{data.get('name')}` (digest {str(data.get('digest', ''))[:12]}).\n"
    )


def _figures(evaluations: Any) -> str:
    """The figures that the run keeps, a line each; empty where it was not evaluated."""
    rows = [
        f"| {each['protocol']} | {each['preset']} | {each['data']} | "
        + ", ".join(f"{name} {value:.3f}" for name, value in each["metrics"].items())
        + f" | {each['encoder']} |"
        for each in evaluations
    ]
    if not rows:
        return ""
    head = "| protocol | preset | data | figures | encoder |\n|---|---|---|---|---|\n"
    return "## Figures\n\n" + head + "\n".join(rows) + "\n"
