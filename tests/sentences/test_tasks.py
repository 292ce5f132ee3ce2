"""Readers of the transfer tasks: each in its own form and with its own folds."""

import pytest

from kinema.core.errors import DataError
from kinema.data.sentences import TASKS, read_transfer


def write(root, **files):
    for name, data in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


MR = {"rt-polarity_pos": b"good \n\nbetter\x85 still\n", "rt-polarity_neg": b"caf\xe9 bad\r\n"}


def task_of(folder, name):
    return {task.name: task for task in read_transfer(folder).tasks}[name]


def test_a_file_a_class_in_latin_1(tmp_path):
    task = task_of(write(tmp_path, **MR), "MR")
    assert task.sentences == ("good", "better\xc2\x85 still".replace("\xc2", ""), "café bad")
    assert (task.labels, task.classes, task.parts, task.skipped) == ((0, 0, 1), ("positive", "negative"), None, 1)


def test_what_is_missing_is_named_and_the_rest_used(tmp_path):
    found = read_transfer(write(tmp_path, **MR, custrev_pos=b"x\n", TREC_train=b"A:b c\n"))
    assert [task.name for task in found.tasks] == ["MR"]
    assert found.missing["CR"] == "custrev.neg"
    assert found.missing["TREC"] == "TREC.test"
    assert set(found.missing) == set(TASKS) - {"MR"}


def test_parts_and_classes_of_trec_and_sst2(tmp_path):
    write(
        tmp_path,
        TREC_train=b"NUM:dist How far ?\nHUM:desc Who was X : Y ?\n",
        TREC_test=b"NUM:date When ?\n",
        stsa_binary_train="1 crème\n0 no : way\n".encode(),
        stsa_binary_dev=b"0 bad\n",
        stsa_binary_test=b"1 fine\n\n",
    )
    trec, sst = task_of(tmp_path, "TREC"), task_of(tmp_path, "SST2")
    assert trec.sentences == ("How far ?", "Who was X : Y ?", "When ?")
    assert [trec.classes[label] for label in trec.labels] == ["NUM", "HUM", "NUM"]
    assert trec.parts == ("train", "train", "test")
    assert sst.sentences == ("crème", "no : way", "bad", "fine")
    assert [sst.classes[label] for label in sst.labels] == ["positive", "negative", "negative", "positive"]
    assert (sst.parts, sst.skipped) == (("train", "train", "dev", "test"), 1)


def test_the_folders_of_senteval_give_the_same(tmp_path):
    here = write(
        tmp_path / "flat",
        **MR,
        stsa_binary_train=b"1 a b\n0 c\n",
        stsa_binary_dev=b"0 d\n",
        stsa_binary_test=b"1 e\n",
        TREC_train=b"A:x q\n",
        TREC_test=b"B:y r\n",
    )
    there = tmp_path / "senteval"
    for name, data in {
        "MR/rt-polarity.pos": MR["rt-polarity_pos"],
        "MR/rt-polarity.neg": MR["rt-polarity_neg"],
        "SST/binary/sentiment-train": b"a b\t1\nc\t0\n",
        "SST/binary/sentiment-dev": b"d\t0\n",
        "SST/binary/sentiment-test": b"e\t1\n",
        "TREC/train_5500.label": b"A:x q\n",
        "TREC/TREC_10.label": b"B:y r\n",
    }.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(data)
    assert read_transfer(here) == read_transfer(there)
    assert read_transfer(here).digest == read_transfer(there).digest


@pytest.mark.parametrize(
    ("line", "name"), [(b"NUM How far ?", "TREC.train"), (b"NUM:dist", "TREC.train"), (b"2 word", "stsa.binary.train")]
)
def test_a_line_without_its_class_is_named(tmp_path, line, name):
    files = {"TREC_train": b"A:b c\n", "TREC_test": b"A:b c\n"}
    files |= {f"stsa_binary_{part}": b"1 a\n" for part in ("train", "dev", "test")}
    write(tmp_path, **files, **{})
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + line + b"\n")
    with pytest.raises(DataError, match=rf"{name}', line 2: expected"):
        read_transfer(tmp_path)


def test_no_task_at_all(tmp_path):
    with pytest.raises(DataError, match=r"none of the transfer tasks: there is no rt-polarity.pos of MR, custrev"):
        read_transfer(tmp_path)
    with pytest.raises(DataError, match="There is no folder"):
        read_transfer(tmp_path / "none")


def test_the_digest_depends_on_tasks_labels_and_parts(tmp_path):
    files = {"TREC_train": b"A:b c\nB:b d\n", "TREC_test": b"A:b e\n"}
    digests = [
        read_transfer(write(tmp_path / "1", **files)).digest,
        read_transfer(write(tmp_path / "2", **files, **MR)).digest,
        read_transfer(write(tmp_path / "3", **files | {"TREC_test": b"B:b e\n"})).digest,
        read_transfer(write(tmp_path / "4", TREC_train=b"A:b c\n", TREC_test=b"B:b d\nA:b e\n")).digest,
    ]
    assert len(set(digests)) == 4
    assert read_transfer(write(tmp_path / "5", **files)).digest == digests[0]
