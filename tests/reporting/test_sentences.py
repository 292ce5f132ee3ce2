"""No sentence of the report is false of the tables that stand on its page: each is read again and recomputed.

Whatever the random tables are, every sentence must be one of those below, and true.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from told_tables import KNOWN, LABELLED, Truth, made_runs

from kinema.core.ops import bootstrap_of_mean
from kinema.reporting import estimates
from kinema.reporting.ranking import distinct_names, headings, names_of, rankings
from kinema.reporting.tables import results
from kinema.reporting.wording import metric_value, view_name

V = r"((?:[\d.]+)(?: %)?)"
SIDE = r"(level|(?:less than )?[\d.]+(?: points?)? (?:ahead|behind))"
HOW = r"((?:seed by seed|by the same queries|by the two intervals)[^:]*)"
BOUNDS = r"([+−][\d.]+) to ([+−][\d.]+)(?: points)?"
COMPARED = rf"{SIDE}(?:, (more than|within) the noise \({HOW}: {BOUNDS}\)|, and without intervals of both, luck[^.;]*)"


class Reader:
    """Reads sentences and holds them against the truth of one report."""

    def __init__(self, report):
        self.report, self.truth, self.head = report, Truth(report), report.headline
        found = rankings(report.runs, report.rows, report.groups, KNOWN)
        self.names = {name: key for key, name in distinct_names(found, report.groups, KNOWN).items()}
        self.titles = headings(self.truth.tables(), KNOWN)
        self.blocks = {self.titles[block[0].settings]: block for block in self.truth.tables()}
        assert len(self.names) == len({*self.names.values()})
        assert len(self.blocks) == len(self.truth.tables()), "each table has a name of its own"
        self.ranked = [block for block in self.blocks.values() if self.truth.candidates(block)]
        self.choices = [block for block in self.ranked if self.decisive(block)]

    # what is true

    def decisive(self, block):
        best, *others = self.truth.candidates(block)
        main = self.truth.main(block)
        return bool(others) and all(self.truth.lead(best, other, main).low is not None for other in others)

    def leads(self, block, identity):
        """Whether an encoder leads, or is not behind what leads by more than the noise."""
        found = self.truth.candidates(block)
        own = next((group for group in found if group.identity == identity), None)
        if own is None:
            return False
        lead = self.truth.lead(found[0], own, self.truth.main(block))
        return own is found[0] or not (lead.larger and lead.value > 0)

    def references(self, block, view):
        """What encoders of a view are held against, the strongest first."""
        block = self.block_of(block[0])
        main = self.truth.main(block)
        names = {"random"} | (LABELLED if block[0].protocol == "finetune" else set())
        known = [(g, v) for g, v in self.truth.known(block, main) if g.encoder in names and g.view == view]
        if block[0].protocol == "finetune":
            known = [(g, v) for g, v in known if g.encoder == "random" or g.main.labelled == 10]
        return sorted(known, key=lambda each: -self.truth.sign(each[0]) * each[1])

    def idle(self, identity):
        """Whether an encoder was held against references and is nowhere ahead of them by more than the noise."""
        above = []
        for block in self.ranked:
            own = next((g for g in self.truth.candidates(block) if g.identity == identity), None)
            reference = self.references(block, identity[1])
            if own is not None and reference:
                lead = self.truth.lead(own, reference[0][0], self.truth.main(block))
                above += [] if lead.low is None else [lead.larger and lead.value > 0]
        return bool(above) and not any(above)

    def block_of(self, group):
        return self.blocks[self.titles[group.settings]]

    def metric(self, block):
        protocol = KNOWN.protocol(block[0].protocol)
        return KNOWN.metric(protocol.main, protocol.name)

    # what is read

    def split(self, text):
        """The encoders that a list names."""
        found = re.findall("|".join(sorted(map(re.escape, self.names), key=len, reverse=True)), text)
        assert text == found[0] or re.fullmatch(r"(.+, )*.+ and .+", text)
        return [self.names[name] for name in found]

    def group(self, block, identity):
        return next(group for group in block if group.identity == identity)

    def is_value(self, text, block, group):
        shown = metric_value(self.metric(block), self.truth.value(group, self.truth.main(block)))
        assert text == shown.replace("\u00a0", " ")

    def is_side(self, text, lead, share):
        if abs(lead) < 1e-9:
            assert text == "level"
            return
        words = text.split()
        assert words[-1] == ("ahead" if lead > 0 else "behind"), text
        number = float(re.search(r"[\d.]+", text).group())
        factor, digit = (100, 0.1) if share else (1, 0.001)
        if "less than" in text:
            assert factor * abs(lead) < number
        else:
            assert number == pytest.approx(factor * abs(lead), abs=0.501 * digit)

    def is_interval(self, low, high, lead, share):
        shown = [float(text.replace("−", "-")) for text in (low, high)]
        factor, digit = (100, 0.1) if share else (1, 0.001)
        assert shown == pytest.approx([factor * lead.low, factor * lead.high], abs=0.51 * digit)

    def is_compared(self, text, block, one, other):
        """A stretch like '3.0 points behind, more than the noise (by the same queries: …)', of the other."""
        share = self.metric(block).share
        found = re.fullmatch(COMPARED, text)
        lead = self.truth.lead(one, other, self.truth.main(block))
        self.is_side(found[1], -lead.value, share)
        assert (found[2] is None) == (lead.low is None)
        if found[2]:
            assert (found[2] == "more than") == lead.larger
            assert found[3].startswith("seed by seed") == bool(lead.seeds)
            self.is_interval(found[4], found[5], lead, share)


def plain(text):
    return text.replace("\u00a0", " ")


def sentences(text):
    return re.split(r"(?<=\.) (?=[A-Z])", plain(text))


# the headline


def of_headline(reader):
    head, truth = reader.head, reader.truth
    if head.verdict in ("not evaluated", "not compared"):
        leading = [group for group in reader.report.groups if KNOWN.protocol(group.protocol).headline]
        blocks = [block for block in truth.tables() if block[0] in leading]
        assert not any(truth.known(block, truth.main(block)) for block in blocks)
        return
    block = reader.blocks[reader.titles[head.settings]]
    main, metric = truth.main(block), reader.metric(block)
    seen = [group for group, _ in truth.known(block, main) if group.view == head.view]
    shown = chosen(reader, seen)
    own, against = shown[head.candidate], shown.get(head.baseline)
    lead = None if against is None else truth.lead(own, against, main)
    first, *rest = sentences(head.sentence)
    of_figures(reader, first, block, own, shown)
    judged = re.match(rf"It is {SIDE}(?: of| with)? ", rest[0])
    if against is not None:
        reader.is_side(judged[1], lead.value, metric.share)
        of_verdict(reader, lead, rest, metric, own, against)
    elif not KNOWN.protocol(own.protocol).floors:
        assert rest == [
            "Neither a baseline nor an untrained network was measured beside it: whether it helped cannot be said."
        ]
    for note in head.notes:
        of_note(reader, plain(note), block, own, against, seen, shown)
    highest_is_told(reader, block, main, own, against)


def chosen(reader, seen):
    """Of each encoder the group that the headline speaks of: of baselines the strongest, of methods the first run's."""
    order = {run.name: number for number, run in enumerate(reader.report.runs)}
    found = {}
    for group in sorted(seen, key=lambda group: min(order[name] for name in group.runs)):
        main = reader.truth.main(reader.block_of(group))
        score = reader.truth.sign(group) * reader.truth.value(group, main)
        kept = found.get(group.encoder)
        stronger = kept is not None and score > reader.truth.sign(kept) * reader.truth.value(kept, main)
        if kept is None or (stronger and not KNOWN.is_method(group.encoder)):
            found[group.encoder] = group
    return found


def of_figures(reader, sentence, block, own, shown):
    """'CPR finds … for 46 % of the queries; InfoNCE 38 %; an untrained network 12 %; chance 7 %.'"""
    main = reader.truth.main(block)
    begins, *parts = sentence.removesuffix(".").split("; ")
    assert begins.lower().startswith(("an untrained network", KNOWN.title(own.encoder).lower()))
    told = [(own.encoder, re.findall(V, begins.removeprefix(KNOWN.title(own.encoder)))[0])]
    for part in parts:
        name, value = re.fullmatch(rf"(.+) {V}", part).groups()
        if name not in ("chance", "answering blindly"):
            encoders = {KNOWN.title(encoder): encoder for encoder in shown} | {"an untrained network": "random"}
            told.append((encoders[name], value))
    for encoder, value in told:
        exact = reader.truth.value(shown[encoder], main)
        assert float(value.removesuffix(" %")) == pytest.approx(exact * (100 if "%" in value else 1), abs=0.501)


def of_verdict(reader, lead, rest, metric, own, against):
    head, text = reader.head, " ".join(rest)
    main = reader.truth.main(reader.block_of(own))
    single = any(len(reader.truth.figures(group, main)) == 1 for group in (own, against))
    if lead.low is None:
        assert head.verdict == "unclear"
        assert "luck cannot be told" in text
        return
    found = re.search(rf"interval of the lead(?:, {HOW})?: {BOUNDS}", text)
    reader.is_interval(found[2], found[3], lead, metric.share)
    assert bool(lead.seeds) == bool(found[1] and found[1].startswith("seed by seed"))
    assert head.verdict == ("unclear" if not lead.larger else "helped" if lead.value > 0 else "hurt")
    assert ("is larger than the uncertainty" in text) == lead.larger
    if "was not measured" in text:
        assert "InfoNCE" in text
        seen = [g for g in reader.report.groups if (g.settings, g.view) == (own.settings, own.view)]
        main = reader.truth.main(reader.block_of(own))
        assert not any(KNOWN.is_baseline(g.encoder) and reader.truth.figures(g, main) for g in seen)
    if head.verdict == "helped" and against.encoder != "random":
        assert ("one seed" in head.short) == single
    expected = {"helped": "helped|beats", "hurt": "did not help", "unclear": "did not measurably help|did not help"}
    assert re.search(expected[head.verdict], head.short)


def of_note(reader, note, block, own, against, seen, shown):
    truth, main = reader.truth, reader.truth.main(block)
    if "is not a number and does not count" in note:
        rows = reader.report.rows
        named = re.fullmatch(r".+ of (.+) \((.+)\) is not a number and does not count\.", note)
        assert any(
            row.main.metrics.get(KNOWN.protocol(row.protocol).main) is None and row.runs[0] == named[2] for row in rows
        )
    elif "was also run with other settings" in note:
        assert sum(group.encoder == own.encoder for group in seen) > 1
    elif note.startswith("It is not ahead of an untrained network"):
        lead = truth.lead(own, shown["random"], main)
        assert not (lead.larger and lead.value > 0)
    elif note.startswith("It is not ahead of answering blindly"):
        assert truth.sign(own) * (truth.value(own, main) - 0.5) <= 0
    elif found := re.match(rf"Against one stage of mining \(CoCLR, {V}\), the cascade is {SIDE}, (.*) the unc", note):
        reader.is_value(found[1], block, shown["coclr"])
        lead = truth.lead(own, shown["coclr"], main)
        reader.is_side(found[2], lead.value, reader.metric(block).share)
        assert (found[3] == "more than") == lead.larger
    elif found := re.fullmatch(r"The budgets differ: .+ trained for (\d+) epochs, .+ for (\d+)\.", note):
        assert (own.epochs, against.epochs) == tuple(map(int, found.groups()))
    elif "of one seed." in note:
        for group in filter(None, (own, against)):
            told = re.search(rf"(of|and) {re.escape(KNOWN.title(group.encoder))} (and|is|are) ", note)
            assert bool(told) == (len(truth.figures(group, main)) == 1 and group.encoder != "random")
    elif found := re.match(r"(.+) and (.+) are compared seed by seed \(([\d, ]+)\)", note):
        lead = truth.lead(own, against, main)
        assert lead.seeds == tuple(int(seed) for seed in found[3].split(", "))
        assert ("of those seeds that both have" in note) == (
            {*lead.seeds} != {*truth.figures(own, main), *truth.figures(against, main)}
        )
    elif found := re.match(r"(.+) is the mean of (\d) seeds", note):
        assert any(
            KNOWN.title(g.encoder) == found[1] and len(truth.figures(g, main)) == int(found[2])
            for g in filter(None, (own, against))
        )
    else:
        assert re.match("The (highest|lowest) ", note), note


def highest_is_told(reader, block, main, own, against):
    """The highest figure of the whole table is the one that is told, or else one of those that are compared has it."""
    truth = reader.truth
    known = {
        g.identity: (g, v) for g, v in truth.known(block, main) if own.encoder in LABELLED or g.encoder not in LABELLED
    }
    most = max(truth.sign(own) * value for _, value in known.values())
    notes = [plain(note) for note in reader.head.notes if re.match("The (highest|lowest) ", note)]
    compared = [known[g.identity][1] for g in (own, against) if g is not None and g.identity in known]
    if any(truth.sign(own) * value >= most - 1e-9 for value in compared):
        assert notes == []
        return
    (note,) = notes
    names = names_of(list(known), [group for group, _ in truth.known(block, main)], KNOWN, own.protocol)
    title, metric = reader.titles[own.settings], reader.metric(block)
    where = r"(?: \((split=test|part=swapped)\))?"
    end = "highest" if truth.sign(own) > 0 else "lowest"
    found = re.fullmatch(rf"The {end} (.+) by {re.escape(title)}{where}( that needed no labels)? is {V}: (.+)\.", note)
    assert found[2] in (None, main)
    best = next(identity for identity, name in names.items() if name == found[5])
    assert found[4] == plain(metric_value(metric, known[best][1]))
    assert truth.sign(own) * known[best][1] == most
    cells = next(t for t in results(reader.report) if t.lines[0][0].settings == own.settings)
    row = next(line for line in cells.lines if line[0].identity == best)
    assert found[4].removesuffix(" %") in " ".join(plain(cell.text) for cell in row[1])


# which one to keep


def of_advice(reader):
    sentence = reader.report.advice.sentence
    every = [*dict.fromkeys(g.identity for block in reader.ranked for g in reader.truth.candidates(block))]
    if not every:
        assert sentence == ""
        return
    assert {*every} == {*reader.names.values()}
    first, *rest = sentences(sentence)
    one_of = [block for block in reader.choices if reader.titles[block[0].settings] in first]
    if "measurements that compare them" in first:
        assert (f"all {len(reader.choices)} " if len(reader.choices) > 2 else "both ") in first
    elif re.search(r" by (Ret|Lin|Fine|Sur)", first) and not first.startswith(("It depends", "None")):
        assert len(one_of) == len(reader.choices) == 1
    kept = of_first(reader, first, every)
    for text in rest:
        if text.startswith("With one seed"):
            groups = [g for block in reader.choices for g in reader.truth.candidates(block)]
            assert any(len(reader.truth.figures(g, reader.truth.main(reader.block_of(g)))) == 1 for g in groups)
        elif found := re.match(r"(.+) do(?:es)? as well where", text):
            for name in reader.split(found[1]):
                held = [b for b in reader.choices if any(g.identity == name for g in reader.truth.candidates(b))]
                assert 0 < len(held) < len(reader.choices)
                assert all(reader.leads(block, name) for block in held)
        elif found := re.match(r"(.+) (?:leads or is|lead or are) within the noise of what leads too, but", text):
            for name in reader.split(found[1]):
                assert name not in kept
                assert reader.idle(name)
                assert all(reader.leads(block, name) for block in reader.choices)
        else:
            raise AssertionError(text)


def of_first(reader, text, every):
    """The first sentence of the advice; gives the encoders that it says to keep."""
    level = {name for name in every if all(reader.leads(block, name) for block in reader.choices)}
    better = {name for name in every if not reader.idle(name)}
    if text.startswith("Keep none yet"):
        assert not better
        return []
    assert better
    if text.startswith("There is nothing to choose between"):
        assert len(every) == 1
        return every
    if text.startswith("No measurement has two encoders"):
        assert not reader.choices
        return []
    assert reader.choices
    if found := re.match(r"Keep any of (.+): by ", text):
        names = reader.split(found[1])
        assert {*names} == level & better
        assert len(names) > 1
        return names
    if found := re.match(r"Keep (.+): by .+, it (is ahead of every|alone leads|leads)", text):
        (name,) = reader.split(found[1])
        assert level & better == {name}
        if "ahead of every other" in text:
            for block in reader.choices:
                own = reader.group(block, name)
                leads = [
                    reader.truth.lead(own, g, reader.truth.main(block))
                    for g in reader.truth.candidates(block)
                    if g is not own
                ]
                assert all(lead.larger and lead.value > 0 for lead in leads)
        assert ("alone" not in text) or level == {name}
        return [name]
    assert not level & better
    assert text.startswith("It depends on the use") == (not level)
    names, told = "|".join(sorted(map(re.escape, reader.names), key=len, reverse=True)), []
    for name, tables in re.findall(rf"({names}) leads by (.+?)(?=; (?:{names}) leads by|\.$)", text):
        assert reader.names[name] in better
        for title, block in reader.blocks.items():
            if title in tables and block in reader.choices:
                found = reader.truth.candidates(block)
                after = re.search(rf"{re.escape(title)} \(after (.+?), no better", tables)
                passed = reader.split(after[1]) if after else []
                place = len(passed)
                assert {g.identity for g in found[:place]} == {*passed}
                assert reader.truth.value(found[place], reader.truth.main(block)) == pytest.approx(
                    reader.truth.value(reader.group(block, reader.names[name]), reader.truth.main(block))
                )
                assert all(reader.idle(each) for each in passed)
                told.append(title)
    assert {*told} == {
        reader.titles[b[0].settings]
        for b in reader.choices
        if any(g.identity in better for g in reader.truth.candidates(b))
    }
    return []


def of_line(reader, line):
    """'Retrieval (coclr): CPR has 50.0 %. CoCLR has 44.0 %, 6.0 points behind, …; … are within the noise too. …'"""
    title = next(title for title in sorted(reader.blocks, key=len, reverse=True) if line.startswith(f"{title}: "))
    block = reader.blocks[title]
    found, main = reader.truth.candidates(block), reader.truth.main(block)
    first, *rest = sentences(line.removeprefix(f"{title}: "))
    has = rf"(.+?) has {V}(?: over (\d) seeds)?"
    told = re.fullmatch(has + r"\.", first)
    best = reader.group(block, reader.names[told[1]])
    reader.is_value(told[2], block, best)
    assert reader.truth.value(best, main) == reader.truth.value(found[0], main)
    if len(found) > 1:
        second, *others = rest.pop(0).removesuffix(".").split("; ")
        told = re.fullmatch(rf"{has}, (.+)", second)
        compared = reader.group(block, reader.names[told[1]])
        reader.is_value(told[2], block, compared)
        assert int(told[3] or 1) == len(reader.truth.figures(compared, main))
        reader.is_compared(told[4], block, best, compared)
        mentioned = [best.identity, compared.identity]
        for text in others:
            listed = re.fullmatch(r"(?:of )?(.+?) (?:is|are|there is) (within|behind|ahead|no interval)(.*)", text)
            for name in reader.split(listed[1]):
                lead = reader.truth.lead(best, reader.group(block, name), main)
                kind = "within" if not lead.larger else "behind" if lead.value > 0 else "ahead"
                assert listed[2] == ("no interval" if lead.low is None else kind)
                mentioned.append(name)
        assert sorted(mentioned) == sorted(g.identity for g in found)
    references = reader.references(block, best.view)
    assert len(rest) == bool(references)
    if references:
        named = "|".join(re.escape(KNOWN.title(g.encoder, g.protocol)) for g, _ in references)
        told = re.fullmatch(rf"({named}): {V}(?: over (\d) seeds)?, (.+)\.", rest[0])
        reader.is_value(told[2], block, references[0][0])
        reader.is_compared(told[4], block, best, references[0][0])


def of_step(reader, step):
    what = plain(step).partition(": kinema ")[0]
    groups = reader.report.groups
    if found := re.match(r"Train (.+) again with --seed (\d) and --seed (\d) and name", what):
        for name in reader.split(found[1]):
            seeds = {seed for g in groups if g.identity == name for seed in g.seeds}
            assert not seeds & {int(found[2]), int(found[3])}
    elif found := re.match(
        r"(The untrained|.+?) ?(?:encoder of .+?|network)? (was not measured|has no figure to compare) by (.+)", what
    ):
        blocks = [block for title, block in reader.blocks.items() if title in found[3]]
        if found[1] != "The untrained" and found[2] == "was not measured" and found[1] in reader.names:
            name = reader.names[found[1]]
            assert not any(g.identity == name for block in blocks for g in block)
    else:
        assert re.match(r"Take .+ along|Train another method|Supervised from scratch|What the same labels", what), what
        if found := re.match(r"Supervised from scratch(?: on (.+?))? (was not measured|has no figure)", what):
            tuned = [g for g in groups if g.protocol == "finetune" and found[1] in (None, view_name(g.view))]
            assert any(not reader.references(tuned, g.view) for g in tuned if g.encoder not in {"random", *LABELLED})
            assert (found[2] == "was not measured") == (not any(g.encoder in {"random", *LABELLED} for g in tuned))


# the table of differences


def of_differences(reader):
    pairs = {}
    for block in reader.truth.tables():
        names = names_of([g.identity for g in block], block, KNOWN, block[0].protocol)
        pairs |= {(reader.titles[block[0].settings], names[g.identity]): g for g in block}
    for line in reader.report.differences:
        one, other = pairs[line.table, line.encoder], pairs[line.table, line.against]
        lead = reader.truth.lead(one, other, line.selection)
        assert line.seeds == lead.seeds
        assert line.value == pytest.approx(lead.value, abs=1e-9)
        assert sum(line.each) / len(line.each) == pytest.approx(lead.value, abs=1e-9)
        assert line.interval == (None if lead.low is None else pytest.approx((lead.low, lead.high)))
        assert line.verdict == ("not decided" if not lead.larger else "ahead" if lead.value > 0 else "behind")
    counted = {(x.table, x.selection, *sorted((x.encoder, x.against))) for x in reader.report.differences}
    assert len(counted) == len(reader.report.differences)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A bootstrap of fewer draws, for the report and for the truth."""
    for module in (estimates, __import__("told_tables")):
        monkeypatch.setattr(module, "bootstrap_of_mean", lambda d, seed: bootstrap_of_mean(d, seed, 200))


@settings(max_examples=45, derandomize=True)
@given(made_runs())
def test_no_sentence_is_false_of_its_own_table(runs):
    report = runs.report()
    reader = Reader(report)
    of_headline(reader)
    of_advice(reader)
    for line in report.advice.lines:
        of_line(reader, plain(line))
    for step in report.advice.steps:
        of_step(reader, step)
    of_differences(reader)
