"""The supervised reference at equal labels: named where it was measured, asked for where it was not."""

import re

import pytest
from reports import collect, section

from kinema.reporting import markdown, page


def tuned(maker, run, encoder, accuracy, preset="10%", labelled=81, epochs=30, right=None, **more):
    details = {"labelled": labelled, "epochs": epochs, "crops": "ten", "interval": [accuracy - 0.04, accuracy + 0.04]}
    details |= {} if right is None else {"asked": "q", "right": [right]}
    told = {"protocol": "finetune", "preset": preset, "metrics": {"accuracy": accuracy}, **more}
    maker.result(run, encoder, accuracy, details=details, **told)


def missing(report):
    return [step for step in report.advice.steps if "finetune" in step]


def test_it_stands_beside_each_fine_tuned_encoder_of_its_share(maker):
    run = maker.run()
    tuned(maker, run, "random", 0.3)
    tuned(maker, run, "infonce", 0.32)
    tuned(maker, run, "cpr", 0.5)
    tuned(maker, run, "cpr", 0.8, "100%", 810)
    report = collect([run])
    text = page(report)
    ten, whole = (
        re.search(rf"<h3>Fine-tuning, {share} of the labels</h3>.*?</table>", text, re.DOTALL).group()
        for share in ("10%", "100%")
    )
    assert re.findall(r'<th scope="row"><span>(.*?)</span>', ten) == ["Supervised from scratch", "InfoNCE", "CPR"]
    assert "+20.0 points<small>+14.3 to +25.7\u00a0points; more than the noise" in ten
    assert "+2.0 points<small>−3.7 to +7.7\u00a0points; within the noise" in ten
    assert "Over supervised" not in whole
    assert "81 labelled videos" in text
    told = markdown(report)
    assert "| Supervised from scratch |" in told
    assert "+14.3 to +25.7 points" in told
    (line,) = [line for line in report.advice.lines if line.startswith("Fine-tuning (10% of the labels)")]
    assert "Supervised from scratch: 30.0\u00a0%, 20.0\u00a0points behind, more than the noise" in line
    command = f"kinema evaluate finetune {run.path} videos --untrained --shares 1 --fit.epochs 30"
    assert missing(report) == [
        f"Supervised from scratch was not measured beside fine-tuning with 100% of the labels: {command}"
    ]


def test_it_is_compared_by_the_same_queries_where_they_are_kept(maker):
    run = maker.run()
    for encoder, share in (("random", 0.3), ("cpr", 0.34)):
        right = "".join("01"[n < round(share * 300)] for n in range(300))
        tuned(maker, run, encoder, share, right=right)
    assert "+4.0 points<small>+2.0 to +6.3\u00a0points; more than the noise" in page(collect([run]))


def test_a_training_of_other_length_is_not_its_equal(maker):
    run = maker.run()
    tuned(maker, run, "random", 0.3, epochs=10)
    other = maker.run("other")
    tuned(maker, other, "cpr", 0.5, epochs=30)
    report = collect([run, other])
    assert "--untrained --shares 0.1 --fit.epochs 30" in missing(report)[0]
    assert "Over supervised" not in page(report)


def test_another_view_is_not_its_equal(maker):
    run = maker.run()
    tuned(maker, run, "random", 0.3)
    tuned(maker, run, "infonce", 0.5, view="motion")
    assert "--untrained --view motion" in missing(collect([run]))[0]


@pytest.mark.parametrize(("labelled", "counts"), [(1200, True), (81, False)])
def test_a_supervised_run_counts_where_it_was_told_as_many_labels(maker, labelled, counts):
    run, reference = maker.run("cpr"), maker.run("supervised", phases=("supervised-rgb",))
    tuned(maker, run, "cpr", 0.5, "100%", labelled)
    tuned(maker, reference, "supervised", 0.6, "100%", labelled)
    report = collect([run, reference])
    assert (missing(report) == []) is counts
    assert ("−10.0 points<small>" in page(report)) is counts
    assert ("Supervised (told the labels): 60.0\u00a0%, 10.0\u00a0points ahead" in report.advice.lines[0]) is counts


def test_without_fine_tuning_the_report_says_how_to_get_it(maker):
    run = maker.run()
    maker.result(run, "cpr", 0.5)
    (line,) = missing(collect([run]))
    assert line.endswith(
        f"once more with --untrained for the supervised reference: kinema evaluate finetune {run.path} videos"
    )
    assert missing(collect([maker.run("bare", classes=0)])) == []


def test_its_curve_stands_beside_those_of_the_linear_probes(maker):
    run = maker.run()
    for preset, labelled in (("1%", 10), ("10%", 81)):
        told = {"protocol": "few-label", "preset": preset, "metrics": {"accuracy": 0.4}}
        maker.result(run, "cpr", 0.4, details={"labelled": labelled}, **told)
        tuned(maker, run, "random", 0.2, preset, labelled)
    charts = section(collect([run]), "How many labels does it take?")
    probes, tuning = re.findall(r"<figure.*?</figure>", charts, re.DOTALL)
    for chart in (probes, tuning):
        assert "Supervised from scratch, labelled videos 81: 20.0" in chart
    assert "CPR, labelled videos 10: 40.0" in probes
    assert "CPR" not in tuning
