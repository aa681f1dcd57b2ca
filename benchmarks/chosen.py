"""Evaluate the choice of a correction with labeled queries.

Each draw chooses a correction with some random queries and measures it on others. Half
of the queries are always kept for the measurement.
"""

import warnings

import numpy as np

from sk_qbnorm.model_selection import NormalizerSearch, gain_lower_bounds

RULES = {"best mean": 0.0, "less 1 s.e.": 1.0, "less 2 s.e.": 2.0}
AMOUNTS = ("half", 100, 50)  # of labels
_HEADER = """\
| labels | rule | mean gain | hurt by over 0.2 | by over 0.5 | worst | raw kept |
|---|---|---|---|---|---|---|"""


def gains_by_choice(case, n_draws):
    """Return, per number of labels and rule, each draw's gain and if raw was chosen."""
    search = NormalizerSearch(case.sims, metric="precomputed", **case.relevance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence and small banks
        hits = search.fit(case.bank_sims).hits_
    n_queries = hits.shape[1]
    gains = {(amount, rule): [] for amount in AMOUNTS for rule in RULES}
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(n_queries)
        half = n_queries // 2
        recall = 100 * hits[:, order[half:]].mean(axis=1)
        for amount, rule in gains:
            labeled = order[: half if amount == "half" else min(amount, half)]
            options = {"n_standard_errors": RULES[rule]}
            best = gain_lower_bounds(hits[:, labeled], **options).argmax()
            gains[amount, rule].append((recall[best] - recall[0], best == 0))
    return gains


def table_of_choices(choices):
    """Return the lines of a table of the gains of choices, over all cases."""
    lines = _HEADER.splitlines()
    for amount in AMOUNTS:
        for rule in RULES:
            draws = np.array([gains[amount, rule] for gains in choices])
            gains, kept = draws[..., 0].mean(axis=1), draws[..., 1].mean()
            gains = np.round(gains, 6)  # 1 query of 500 must not exceed 0.2 points
            hurt = f"{(gains < -0.2).sum()} | {(gains < -0.5).sum()}"
            lines.append(
                f"| {amount} | {rule} | {gains.mean():+.2f} | {hurt} | "
                f"{gains.min():+.2f} | {kept:.0%} |"
            )
    return lines
