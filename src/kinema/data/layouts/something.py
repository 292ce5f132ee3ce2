"""Something-Something v2 (Goyal et al., ICCV 2017, arXiv:1706.04261): 220 847 short webm files, 174 classes.

Sources of the facts: the release of 20BN, now of Qualcomm
(https://developer.qualcomm.com/software/ai-datasets/something-something), unpacks to
``20bn-something-something-v2/<id>.webm``. Its lists were ``something-something-v2-train.json``, ``-validation.json``,
``-test.json`` and ``-labels.json`` at first, and are ``labels/train.json``, ``validation.json``, ``test.json``,
``labels.json`` and ``test-answers.csv`` (``id;template``) today. A list is JSON, ``[{"id": "78687", "label": "holding
potato next to vicks vaporub bottle", "template": "Holding [something] next to [something]", "placeholders": […]},
…]``; the test list has ids alone. The class is the template without its brackets, a key of ``labels.json``; so reads
it MMAction2 (``tools/data/parse_file_list.py``).

Each video was filmed on its own by a worker whose name is not published: every video is its own source.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from kinema.core.errors import DataError
from kinema.data.layouts.layout import Entry, Layout, Lists, any_stem
from kinema.data.layouts.tree import Tree, json_of, objects, semicolons

_LIST = r"(?:something-something-v2-)?(train|validation|test|labels)\.json"


def _read(tree: Tree, _: int) -> Lists:
    found = tree.lists(_LIST)
    for name in ("labels", "train", "validation"):
        if name not in found:
            raise tree.lacks(f"'something-something-v2-{name}.json' or '{name}.json'")
    classes = json_of(found["labels"], dict)
    lists = Lists()
    for name, split in (("train", "train"), ("validation", "val")):
        for number, item in objects(found[name], {"id": str, "template": str}):
            where = f"'{found[name]}', entry {number}"
            label = _class(item["template"], classes, f"{where}, 'template'")
            caption = str(item.get("label", ""))
            attributes = {"caption": caption} if caption else {}
            lists.add(item["id"], Entry(item["id"], label, split=split, attributes=attributes), f"{where}, 'id'")
    answers = _answers(tree, classes)
    for number, item in objects(found["test"], {"id": str}) if "test" in found else ():
        entry = Entry(item["id"], answers.get(item["id"]), split="test")
        lists.add(item["id"], entry, f"'{found['test']}', entry {number}, 'id'")
    return lists


def _answers(tree: Tree, classes: Container[str]) -> dict[str, str]:
    """The classes of the test set, where they are there."""
    answers = {}
    for path in tree.lists(r"(?:something-something-v2-)?(test-answers)\.csv").values():
        for line, (name, template) in semicolons(Path(path), ("id", "template")):
            answers[name] = _class(template, classes, f"'{path}', line {line}, column 'template'")
    return answers


def _class(template: str, classes: Container[str], where: str) -> str:
    label = template.replace("[", "").replace("]", "")
    if label not in classes:
        raise DataError(f"{where}: '{label}' is no class of labels.json.", "Take both files from one release.")
    return label


SOMETHING = Layout(
    title="Something-Something v2",
    read=_read,
    key=any_stem,
    shape="Make it hold the folder 20bn-something-something-v2 with the webm files, and the lists train.json, "
    "validation.json, test.json and labels.json (or something-something-v2-train.json and so on).",
)
"""The splits are train, val and test; test has labels where ``test-answers.csv`` is there."""
