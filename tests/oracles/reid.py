"""Slow, obvious re-statements of re-identification: one query at a time, one tracklet of its ranking at a time."""


def one_query(distances, identity, camera, ids, cameras, kinds, preset, queries):
    """Rank of the first match and average precision; None where there is no match.

    ``queries`` are the rows of the gallery that are queries.
    """
    ranking = []
    for row, distance in enumerate(distances):
        if kinds[row] == "junk" or (preset == "torchreid" and row in queries):
            continue
        same = kinds[row] == "person" and ids[row] == identity
        if same and cameras[row] == camera:
            continue
        ranking.append((distance, same))
    ranking.sort()
    matches = sum(same for _, same in ranking)
    if not matches:
        return None
    first, found, ap, recall, precision = None, 0, 0.0, 0.0, 1.0
    for place, (_, same) in enumerate(ranking, start=1):
        found += same
        first = place if same and first is None else first
        now, ratio = found / matches, found / place
        if preset == "official":
            ap += (now - recall) * (precision + ratio) / 2
        elif same:
            ap += ratio / matches
        recall, precision = now, ratio
    return first, ap


def figures(distances, query_ids, ids, query_cameras, cameras, *, preset, own, kinds):
    """Metrics, and each query's outcome."""
    queries = {row for row in own if row >= 0}
    outcomes = [
        one_query(row, identity, camera, ids, cameras, kinds, preset, queries)
        for row, identity, camera in zip(distances, query_ids, query_cameras, strict=True)
    ]
    measured = [outcome for outcome in outcomes if outcome is not None]
    if not measured:
        return {}, outcomes
    metrics = {f"rank-{k}": sum(first <= k for first, _ in measured) / len(measured) for k in (1, 5, 10, 20)}
    return {**metrics, "map": sum(ap for _, ap in measured) / len(measured)}, outcomes
