"""Diving48 (Li, Li and Vasconcelos, ECCV 2018), second version: some 17 000 dives in 48 classes.

Sources of the facts: the data set's page (http://www.svcl.ucsd.edu/projects/resound/dataset.html) publishes
``Diving48_rgb.tar.gz``, which holds ``rgb/<name>.mp4``, and ``Diving48_V2_train.json``, ``Diving48_V2_test.json`` and
``Diving48_vocab.json``. The lists are JSON, ``[{"vid_name": "-mmq0PT-u8k_00155", "label": 0, "start_frame": 0,
"end_frame": 48}, …]``; the vocabulary is a list of classes, each of four parts: take-off, somersaults, twists and
position, ``["Back", "15som", "05Twis", "FREE"]``. MMAction2's guide calls the folder ``videos``; any folder will do.

A name is the YouTube id of a competition and the number of the dive in it; the source is the id. Nothing in
the release says that the official split keeps competitions apart.
"""

from __future__ import annotations

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists, stem
from kinema.data.layouts.tree import Tree, json_of, objects

_ATTRIBUTES = ("takeoff", "somersault", "twist", "position")


def _read(tree: Tree, _: int) -> Lists:
    path = tree.list_of("Diving48_vocab.json")
    vocabulary: list[list[str]] = json_of(path, list)
    for number, parts in enumerate(vocabulary, 1):
        if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):
            raise DataError(f"'{path}', entry {number}: it is not a list of the four parts of a class.")
    lists = Lists()
    for split in ("train", "test"):
        path = tree.list_of(f"Diving48_V2_{split}.json")
        for number, item in objects(path, {"vid_name": str, "label": int}):
            where = f"'{path}', entry {number}"
            if not 0 <= item["label"] < len(vocabulary):
                raise DataError(
                    f"{where}, 'label': it is {item['label']}; the vocabulary holds classes 0 to {len(vocabulary) - 1}."
                )
            parts = vocabulary[item["label"]]
            name = item["vid_name"]
            source, _, dive = name.rpartition("_")
            source = source if dive.isdigit() else name
            attributes = dict(zip(_ATTRIBUTES, parts, strict=True))
            lists.add(name, Entry(name, " ".join(parts), source, split, attributes), f"{where}, 'vid_name'")
    return lists


DIVING48 = Layout(
    title="Diving48 V2",
    read=_read,
    key=stem,
    shape="Make it hold the folder rgb with the MP4 files, and Diving48_V2_train.json, Diving48_V2_test.json and "
    "Diving48_vocab.json.",
)
"""Labels are the four parts of a class, 'Back 15som 05Twis FREE'."""
