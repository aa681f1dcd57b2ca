"""Evaluate the choice of a correction with labeled queries.

Each draw chooses a correction with some random queries and measures it on others. Half
of the queries are always kept for the measurement.
"""

import warnings

import numpy as np

from sk_qbnorm.metrics import recall_at_k
from sk_qbnorm.model_selection import NormalizerSearch, default_candidates

from .cases import rows_of

RULES = {  # what is searched, and by how many standard errors a candidate must win
    "from the mix": {},
    "from raw, 2 s.e.": {
        "candidates": default_candidates(),
        "n_standard_errors": 2.0,
    },
}
AMOUNTS = ("half", 100, 50)  # of labels
_HEADER = """\
| labels | search | mean gain | hurt by over 0.2 | by over 0.5 | worst | worst draw | \
raw kept |
|---|---|---|---|---|---|---|---|"""


def gains_by_choice(case, n_draws):
    """Return, per number of labels and rule, each draw's gain and if raw was chosen."""
    gains = {(amount, rule): [] for amount in AMOUNTS for rule in RULES}
    for seed in range(n_draws):
        order = np.random.default_rng(seed).permutation(len(case.sims))
        half = len(order) // 2
        sims, relevance = case.sims[order[half:]], rows_of(case.relevance, order[half:])
        raw = recall_at_k(scores=sims, k=1, **relevance)
        for amount, rule in gains:
            labeled = order[: half if amount == "half" else min(amount, half)]
            search = NormalizerSearch(
                case.sims[labeled],
                metric="precomputed",
                **rows_of(case.relevance, labeled),
                **RULES[rule],
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about convergence and small banks
                scores = search.fit(case.bank_sims).transform(sims)
            gain = recall_at_k(scores=scores, k=1, **relevance) - raw
            gains[amount, rule].append((100 * gain, search.best_index_ == 0))
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
                f"{gains.min():+.2f} | {draws[..., 0].min():+.1f} | {kept:.0%} |"
            )
    return lines
