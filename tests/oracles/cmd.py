"""The two tasks of CMD, said slowly: one clip, one position, one key at a time."""

from math import exp, log

from oracles.objectives import dot


def context_matching(v, c, source, temperature, siblings):
    total = 0.0
    for i in range(len(v)):
        below = 0.0
        for j in range(len(c)):
            if j == i or siblings == "negatives" or source[j] != source[i]:
                below += exp(dot(v[i], c[j]) / temperature)
        total += -log(exp(dot(v[i], c[i]) / temperature) / below)
    return total / len(v)


def motion_prediction(m_hat, m, there, temperature):
    losses = []
    for b in range(len(m_hat)):
        if not there[b][0]:
            continue
        for p in range(len(m_hat[b])):
            below = 0.0
            for other in range(len(m)):
                for n in range(len(m[other])):
                    for q in range(len(m[other][n])):
                        if there[other][n]:
                            below += exp(dot(m_hat[b][p], m[other][n][q]) / temperature)
            losses.append(-log(exp(dot(m_hat[b][p], m[b][0][p]) / temperature) / below))
    return sum(losses) / len(losses) if losses else 0.0
