"""Cascade positive retrieval, said slowly: one clip, one stage and one entry at a time, by gathering features.

Wu, Lai, Hu, Kadav 2022, arXiv 2201.07989. Vectors are lists of numbers; ``a`` is the trained view, ``b`` the guide.
"""

from math import exp, floor, log


def dot(u, v):
    return sum(x * y for x, y in zip(u, v, strict=True))


def mine(asked_a, asked_b, memory_a, memory_b, siblings, stages, keep, k):
    """Slots of one clip's mined entries, best first; stages 1, 3, 5, … and the last look in view b, the others in a."""
    survivors = [slot for slot in range(len(memory_a)) if slot not in siblings]
    for stage in range(1, stages + 1):
        in_guide = stage % 2 == 1 or stage == stages
        asked, memory = (asked_b, memory_b) if in_guide else (asked_a, memory_a)
        gathered = [(slot, memory[slot]) for slot in survivors]
        size = k if stage == stages else floor(len(memory_a) * keep**stage + 1e-9)
        ranked = sorted(gathered, key=lambda entry: (-dot(asked, entry[1]), entry[0]))
        survivors = [slot for slot, _ in ranked[:size]]
    return survivors


def mil_nce(q, key, others, memory_a, positives, temperature, own_key, dropped, of_batch_alone):
    """-log of the positives' share for one clip; ``own_key`` says what a dropped own key leaves.

    ``others`` are the keys of the batch that count as negatives; with ``of_batch_alone`` no entry of the memory does.
    """
    above, below = 0.0, 0.0
    for other in others:
        below += exp(dot(q, other) / temperature)
    own = exp(dot(q, key) / temperature)
    if not dropped or own_key == "keep":
        above, below = above + own, below + own
    elif own_key == "numerator":
        below += own
    for slot, entry in enumerate(memory_a):
        term = exp(dot(q, entry) / temperature)
        below += term if slot in positives or not of_batch_alone else 0.0
        above += term if slot in positives else 0.0
    return -log(above / below) if above else None


def cpr(q, key, p, memory_a, memory_b, source, memory_source, settings, dropped):
    """The loss of a batch and what each of its clips mined.

    Args:
        q: the query variant's projections in the trained view.
        key: the key variant's, by the momentum network.
        p: the key variant's in the guide view.
        memory_a: the queue in the trained view.
        memory_b: the queue in the guide view.
        source: the recording of each clip.
        memory_source: the recording of each entry.
        settings: stages, keep, k, temperature, miner, own_key, negatives_from ('both' if it is not there).
        dropped: whether this step drops the own keys.
    """
    losses, mined = [], []
    for i in range(len(q)):
        siblings = {slot for slot in range(len(memory_source)) if memory_source[slot] == source[i]}
        asked_a, asked_b = (key[i] if settings["miner"] == "key" else q[i], p[i])
        found = mine(
            asked_a, asked_b, memory_a, memory_b, siblings, settings["stages"], settings["keep"], settings["k"]
        )
        others = [key[j] for j in range(len(q)) if j != i and source[j] != source[i]]
        negatives = settings.get("negatives_from", "both")
        others = [] if negatives == "queue" else others
        positives, temperature = siblings | set(found), settings["temperature"]
        own_key, alone = settings["own_key"], negatives == "batch"
        loss = mil_nce(q[i], key[i], others, memory_a, positives, temperature, own_key, dropped, alone)
        losses += [] if loss is None else [loss]
        mined.append(found)
    return sum(losses) / len(losses), mined


def cpr_bank(q, banks, source, bank_source, chosen, settings):
    """The mean over both directions of a batch's loss against memory banks, and what was mined.

    Args:
        q: for views a and b, the projections.
        banks: for views a and b, the bank's entries.
        source: the recording of each clip.
        bank_source: the recording of each entry.
        chosen: the entries drawn as candidates.
        settings: sizes and temperature; the cascade starts in view a.
    """
    losses, mined = [], []
    for i in range(len(source)):
        siblings = {row for row in range(len(bank_source)) if bank_source[row] == source[i]}
        survivors = [row for row in range(len(bank_source)) if row not in siblings]
        for stage, size in enumerate(settings["sizes"]):
            view = 0 if stage % 2 == 0 or stage == len(settings["sizes"]) - 1 else 1
            ranked = sorted(survivors, key=lambda row: (-dot(q[view][i], banks[view][row]), row))
            survivors = ranked[:size]
        mined.append(survivors)
        positives = siblings | set(survivors)
        for view, other in ((0, 1), (1, 0)):
            terms = {
                row: exp(dot(q[view][i], banks[other][row]) / settings["temperature"])
                for row in range(len(bank_source))
            }
            above = sum(terms[row] for row in positives)
            below = sum(terms[row] for row in positives | set(chosen))
            losses.append(-log(above / below))
    return sum(losses) / len(losses), mined
