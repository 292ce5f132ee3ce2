"""The cascade, said slowly: plain Python lists, one query and one stage at a time."""


def cascade(scores, sizes, views, excluded=None):
    """Lists of mined indices for each query; a list is shorter than sizes[-1] where candidates ran out."""
    mined = []
    for row in range(len(scores[0])):
        left = [j for j in range(len(scores[0][row])) if excluded is None or not excluded[row][j]]
        for size, view in zip(sizes, views, strict=True):
            ranked = sorted(left, key=lambda j: (-scores[view][row][j], j))
            left = sorted(ranked[:size])
        mined.append(ranked[:size])
    return mined
