"""The demonstration, cut down to minutes: through the command line, with what it tells and leaves."""

import json

import pytest

from kinema import cli

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
def test_the_demonstration(tmp_path, capsys):
    out = tmp_path / "demo"
    arguments = ["demo", str(out), "--epochs", "2", "--clips_per_class", "40", "--json"]
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    told = capsys.readouterr()
    assert left.value.code == 0, told.out + told.err
    found = json.loads(told.out)
    assert found.keys() == {"rows", "report", "run", "seconds"}
    assert {row["encoder"] for row in found["rows"]} == {"random", "infonce", "cpr"}
    assert {row["view"] for row in found["rows"]} == {"rgb", "motion", "rgb+motion"}
    assert all(0 <= row["metrics"]["r@1"] <= 1 for row in found["rows"])
    assert found["report"] == str(out / "report.html")
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!")
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert found["run"] == str(out / "runs/cpr-motion")
    assert json.loads((out / "runs/cpr-motion/status.json").read_text(encoding="utf-8"))["state"] == "done"
    assert found["seconds"] > 0
