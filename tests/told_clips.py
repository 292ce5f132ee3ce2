"""Made-up questions about made-up clips, of three kinds: what is needed to answer each is known."""

from dataclasses import replace

import torch

from kinema.core.questions import ClipFrames, OptionTokens, Part, QuestionBatch
from kinema.core.records import mapped
from kinema.core.spans import Tokens

CLS, SEP, MASK, FIRST = 1, 2, 3, 5
MOTIONS, COLOURS, NOUNS, FILLERS = 12, 8, 10, 80
_NAMES = ["what", "happens", "while", "is", "said", "which", "of", "these", "to", "be", "seen", "does", "she", "say"]
_NAMES += ["the", "after"]
WORD = {name: FIRST + n for n, name in enumerate(_NAMES)}
BASE = FIRST + len(_NAMES)
VOCABULARY = BASE + MOTIONS + COLOURS + NOUNS + FILLERS
SEGMENTS, EACH, FEATURES, OPTIONS = 6, 4, 16, 4
KINDS = ("while", "which", "said")
"""'while': what is seen while a line is said: line and time; 'which': what is seen at all; 'said': the text alone."""


def _words(text):
    return [WORD[word] for word in text.split()]


def motion(n):
    return [BASE + n]


def colour(n):
    return [BASE + MOTIONS + n]


def noun(n):
    return [BASE + MOTIONS + COLOURS + n]


def _question(kind, draw):
    """Motions [6], lines, question, options, answer, and the line that tells."""

    def pick(high, number, without=()):
        return [n for n in torch.randperm(high, generator=draw).tolist() if n not in without][:number]

    seen = pick(MOTIONS, SEGMENTS)
    base = BASE + MOTIONS + COLOURS + NOUNS
    lines = [[base + n for n in torch.randint(FILLERS, (5,), generator=draw).tolist()] for _ in range(SEGMENTS)]
    at = int(torch.randint(SEGMENTS, (), generator=draw))
    if kind == "while":
        question = [*_words("what happens while"), *lines[at][:4], *_words("is said")]
        options = [motion(seen[n]) for n in [at, *pick(SEGMENTS, OPTIONS - 1, {at})]]
    elif kind == "after":
        at = at % (SEGMENTS - 1) + 1
        question = [*_words("what happens after"), *motion(seen[at - 1])]
        options = [motion(seen[n]) for n in [at, *pick(SEGMENTS, OPTIONS - 1, {at, at - 1})]]
    elif kind == "which":
        question = _words("which of these is to be seen")
        options = [motion(seen[at]), *map(motion, pick(MOTIONS, OPTIONS - 1, set(seen)))]
    else:
        things, colours = pick(NOUNS, 3), pick(COLOURS, OPTIONS)
        spots = [at, *pick(SEGMENTS, 2, {at})]
        for spot, thing, hue in zip(spots, things, colours, strict=False):
            lines[spot] = [*_words("the"), *noun(thing), *_words("is"), *colour(hue)]
        question = [*_words("what does she say of the"), *noun(things[0])]
        options = [colour(hue) for hue in colours]
    answer = int(torch.randint(OPTIONS, (), generator=draw))
    options[0], options[answer] = options[answer], options[0]
    return seen, lines, question, options, answer, at


def made_questions(number, seed=0, kinds=KINDS, *, noise=0.3):
    """A batch of so many questions, the kinds in turn; and the kind of each, as its place in ``kinds``."""
    draw = torch.Generator().manual_seed(seed)
    inputs, features, answers, spans = [], [], [], []
    looks = torch.eye(MOTIONS, FEATURES)
    for n in range(number):
        seen, lines, question, options, answer, at = _question(kinds[n % len(kinds)], draw)
        for option in options:
            ids, part, line = [CLS], [0], [-1]
            for words, kind in ((question, Part.QUESTION), (option, Part.OPTION)):
                ids += [*words, SEP]
                part += [int(kind)] * len(words) + [0]
                line += [-1] * (len(words) + 1)
            for place, words in enumerate(lines):
                ids += words
                part += [int(Part.LINE)] * len(words)
                line += [place] * len(words)
            inputs.append((ids, part, line))
        features.append(looks[torch.tensor(seen).repeat_interleave(EACH)])
        answers.append(answer)
        spans.append((at * EACH, at * EACH + EACH))
    longest = max(len(ids) for ids, _, _ in inputs)
    columns = [
        torch.tensor([each[n] + [filler] * (longest - len(each[0])) for each in inputs])
        for n, filler in ((0, 0), (1, 0), (2, -1))
    ]
    clips = torch.stack(features)
    clips = clips + noise * torch.randn(clips.shape, generator=draw)
    times = (torch.arange(SEGMENTS * EACH) + 0.5).expand(number, -1)
    begins = torch.arange(SEGMENTS) * float(EACH)
    answer = torch.tensor(answers)
    options = OptionTokens(Tokens(columns[0], columns[0] != 0), columns[1], columns[2])
    true = torch.arange(number) * OPTIONS + answer
    batch = QuestionBatch(
        torch.arange(number),
        options,
        torch.stack([begins + 0.4, begins + 3.6], dim=1).expand(number, -1, -1).contiguous(),
        ClipFrames(clips, times.contiguous()),
        answer,
        torch.tensor(spans, dtype=torch.float32),
        hidden(mapped(options, lambda x: x[true]), draw),
    )
    return batch, torch.arange(number) % len(kinds)


def hidden(inputs, draw, share=0.15):
    """The inputs with a share of the words replaced by [MASK], at least where the draw says so."""
    ids = inputs.tokens.ids
    gone = (torch.rand(ids.shape, generator=draw) < share) & (inputs.part != Part.OTHER)
    return replace(inputs, tokens=replace(inputs.tokens, ids=ids.masked_fill(gone, MASK)))


def rows_of(batch, index):
    """Some questions of a batch."""
    count = batch.count
    each = (index.unsqueeze(1) * count + torch.arange(count)).flatten()
    several = mapped(batch.options, lambda x: x[each])
    rest = {
        name: mapped(getattr(batch, name), lambda x: x[index])
        for name in ("index", "lines", "frames", "answer", "span", "masked")
    }
    return replace(batch, options=several, **rest)


def shifted(batch, seconds):
    """The same with all lines at other times."""
    return replace(batch, lines=batch.lines + seconds)


def learnt_answers(method, batch, *, epochs, lr, size=32, seed=0):
    """Trains a method on the questions of a batch."""
    from kinema.core.seeds import generator_at
    from kinema.training.phase import make_optimiser
    from kinema.training.settings import OptimiserConfig

    config = OptimiserConfig("adamw", lr=lr, weight_decay=0.01, schedule="cosine", warmup_epochs=1)
    optimiser = make_optimiser(method.train(), config)
    steps = len(batch) // size
    for epoch in range(epochs):
        order = torch.randperm(len(batch), generator=generator_at(seed, "order", epoch))
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = config.rate(epoch + step / steps, epochs) * group["share"]
            rows = rows_of(batch, order[step * size : (step + 1) * size])
            optimiser.zero_grad()
            losses = method.loss(rows, generator_at(seed, "loss", epoch, step))
            losses.total.backward()
            torch.nn.utils.clip_grad_norm_(method.parameters(), 1.0)
            optimiser.step()
            method.commit(losses)
        yield epoch
    method.eval()


@torch.no_grad()
def accuracy(method, batch, kinds, size=100):
    """The share of right answers, by kind."""
    method.eval()
    tower = method.towers()["question"]
    right = []
    for index in torch.arange(len(batch)).split(size):
        rows = rows_of(batch, index)
        right.append(tower(rows.options, rows.lines, rows.frames).logits.argmax(dim=1) == rows.answer)
    right = torch.cat(right).float()
    method.train()
    return {n: float(right[kinds == n].mean()) for n in kinds.unique().tolist()}
