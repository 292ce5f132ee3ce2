"""Pairs of real product photographs with their titles, as far as the shared data are there."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from kinema.core.pairs import PairNeeds
from kinema.data.pairs.config import PairsConfig

FASHION = Path(__file__).resolve().parents[3] / "shared" / "data" / "dcvh" / "fashion2000"
HOW_MANY = 60


@pytest.fixture(scope="module")
def products():
    if not FASHION.is_dir():
        pytest.skip("the shared data set dcvh/fashion2000 is not there")
    with (FASHION / "styles.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    return [rows[number] for number in (FASHION / "image_ids.txt").read_text().split()[:HOW_MANY]]


def write(folder, products, image):
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "text", "labels"])
        for place, row in enumerate(products):
            labels = f"{row['subCategory']};{row['baseColour']}"
            lines.writerow([image(place, row["id"]), row["productDisplayName"], labels])
    return folder


def test_photographs_with_titles(products, tmp_path):
    write(tmp_path, products, lambda _, number: FASHION / "images" / f"{number}.jpg")
    config = PairsConfig(held_out=0)
    table = config.open(tmp_path)
    kept, left = config.usable(table, [PairNeeds()])
    assert {row.health for row in table.rows} == {"ok"}
    assert len(kept) + len(left) == HOW_MANY
    counts = kept.counts()
    assert min(counts.values()) >= 2
    data = config.load(kept, [PairNeeds()], cache=tmp_path / "cache")
    assert data.pictures.read(np.arange(3)).shape == (3, 3, 64, 64)
    assert not data.texts.unknown.any()


def test_the_same_beside_their_files_and_as_stored_vectors(products, tmp_path):
    write(tmp_path, products, lambda place, _: f"{FASHION}/clip_vitb32_embeddings.npy[{place}]")
    config = PairsConfig(held_out=0)
    vectors = config.open(tmp_path)
    assert config.image_width(vectors) == 512
    for row in products:
        shutil.copyfile(FASHION / "images" / f"{row['id']}.jpg", tmp_path / f"{row['id']}.jpg")
        (tmp_path / f"{row['id']}.txt").write_text(row["productDisplayName"], "utf-8")
    (tmp_path / "pairs.csv").unlink()
    folder = {row.image.removesuffix(".jpg"): row for row in config.open(tmp_path).rows}
    assert [folder[row["id"]].text for row in products] == [row.text for row in vectors.rows]
