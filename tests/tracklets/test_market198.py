"""198 people of Market-1501 as they lie beside the repository: every tracklet, of which no picture is opened."""

import csv
from pathlib import Path

import pytest

from kinema.data.tracklets.drafts import Probed
from kinema.data.tracklets.reading import read_tracklets

MARKET = Path(__file__).parents[3] / "shared" / "data" / "trl" / "market198"


@pytest.mark.data
@pytest.mark.parametrize("data", [f"market1501:{MARKET}", f"market1501:{MARKET / 'images'}", str(MARKET)])
def test_every_tracklet_is_that_of_the_table(data, monkeypatch):
    if not MARKET.is_dir():
        pytest.skip("the 198 people of Market-1501 (../shared/data/trl) are not here")
    with (MARKET / "tracklets.csv").open(encoding="utf-8") as file:
        expected = {(int(row["person"]), row["camera"], tuple(row["files"].split())) for row in csv.DictReader(file)}
    monkeypatch.setattr("kinema.data.tracklets.drafts.probed", lambda path: Probed((128, 64), 1, path.name))
    found = read_tracklets(data)
    files = [tuple(Path(each).name for each in row.files) for row in found.rows]
    assert len(found) == len(expected) == 1860
    assert {(int(r.identity), r.camera, each) for r, each in zip(found.rows, files, strict=True)} == expected
    assert len(found.select({"split": "train"}).classes()) == len(found.select({"split": "test"}).classes()) == 99
