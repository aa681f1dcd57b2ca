"""``python -m benchmarks.quality``: what every normalizer does to every data set.

Without a folder, to the data sets that ship with the package, with their own bank and
with banks that are foreign to them. With one, to all of its ``.npz`` files, which
`benchmarks.cases` describes. Normalizers are taken as they are, and chosen by labels.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    CSLS,
    DualDynamicInvertedSoftmax,
    DualInvertedSoftmax,
    DynamicInvertedSoftmax,
    DynamicNormalizer,
    GloballyCorrected,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)
from sk_qbnorm.metrics import hubness_skewness, recall_at_k

from .cases import in_folder, shipped
from .chosen import gains_by_choice, table_of_choices
from .samples import gains_by_sample, table_of_samples

NORMALIZERS = {
    "IS": InvertedSoftmax(),
    "DIS": DynamicInvertedSoftmax(),
    "CSLS": CSLS(),
    "GC": GloballyCorrected(),
    "NNN": NearestNeighborNormalizer(),
    "Sinkhorn": SinkhornNormalizer(),
    "Careful": SinkhornNormalizer(alpha=0.5),
    "D-NNN": DynamicNormalizer(NearestNeighborNormalizer()),
}
PUBLISHED = {  # with the numbers of the papers, in the summary alone
    "IS, beta=20": InvertedSoftmax(beta=20),
    "DIS, beta=20": DynamicInvertedSoftmax(beta=20),
    "Sinkhorn, beta=50": SinkhornNormalizer(beta=50),
}
DUAL = {
    "DualIS": DualInvertedSoftmax(),
    "DualDIS": DualDynamicInvertedSoftmax(),
    "Sinkhorn, two banks": SinkhornNormalizer(),
}
_HURT = 0.2  # points of R@1 that are more than nothing


def measure(case):
    """Return R@1 in points, and skewness, of raw and of all normalizers."""
    found = {"raw": _measures(case, case.sims)}
    for name, normalizer in (NORMALIZERS | PUBLISHED).items():
        normalizer = normalizer.set_params(metric="precomputed")
        found[name] = _measures(case, normalizer.fit(case.bank_sims), case.sims)
    for name, normalizer in DUAL.items() if case.bank_gallery_sims is not None else ():
        normalizer = normalizer.set_params(metric="precomputed")
        balances = isinstance(normalizer, SinkhornNormalizer)
        items = case.bank_gallery_sims.T if balances else case.bank_items
        normalizer.fit(case.bank_sims, gallerybank=items)
        found[name] = _measures(case, normalizer, case.sims)
    return found


def _measures(case, scores, sims=None):
    if sims is not None:
        scores = scores.transform(sims)
    recall = 100 * recall_at_k(scores=scores, k=1, **case.relevance)
    k = min(10, scores.shape[1])
    return recall, hubness_skewness(scores, k=k)


def tables(cases, n_draws=5):
    """Return tables of R@1, skewness, two banks, all cases, samples, and choices."""
    cases, samples, choices = list(cases), [], []
    recalls, skews = _heading(NORMALIZERS), _heading(NORMALIZERS)
    dual, gains = (
        _heading(DUAL),
        {name: [] for name in (*NORMALIZERS, *PUBLISHED, *DUAL)},
    )
    for case in cases:
        found = measure(case)
        raw, raw_skewness = found.pop("raw")
        for name, (recall, _) in found.items():
            gains[name].append(recall - raw)
        changes = {name: f"{recall - raw:+.1f}" for name, (recall, _) in found.items()}
        recalls.append(
            _row(case, f"{raw:.1f}", (changes[name] for name in NORMALIZERS))
        )
        skewness = (f"{found[name][1]:.2f}" for name in NORMALIZERS)
        skews.append(_row(case, f"{raw_skewness:.2f}", skewness))
        if case.bank_gallery_sims is not None:
            dual.append(_row(case, f"{raw:.1f}", (changes[name] for name in DUAL)))
        samples.append(gains_by_sample(case, n_draws))
        choices.append(gains_by_choice(case, n_draws))
        print(recalls[-1], flush=True)
    return (
        recalls,
        skews,
        dual,
        _summary(gains),
        table_of_samples(cases, samples),
        table_of_choices(choices),
    )


def _heading(names):
    return [
        f"| data | bank | raw | {' | '.join(names)} |",
        "|---" * (3 + len(names)) + "|",
    ]


def _row(case, raw, values):
    return f"| {case.data} | {case.bank} | {raw} | {' | '.join(values)} |"


def _summary(gains):
    lines = [
        f"| | cases | mean gain | hurt by over {_HURT} | by over 0.5 | worst |",
        "|---|---|---|---|---|---|",
    ]
    for name, gain in gains.items():
        if gain:
            gain = np.round(gain, 6)  # a query of 500 is not more than 0.2 points
            hurt = f"{(gain < -_HURT).sum()} | {(gain < -0.5).sum()}"
            worst = f"{gain.mean():+.2f} | {hurt} | {gain.min():+.1f}"
            lines.append(f"| {name} | {gain.size} | {worst} |")
    return lines


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", help="of .npz files")
    parser.add_argument("--markdown", type=Path, help="file to write")
    parser.add_argument("--draws", type=int, default=5, help="(%(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "beta=")  # the numbers of the papers
    warnings.filterwarnings("ignore", "The lists have")  # short lists of small banks
    cases = in_folder(options.folder) if options.folder else shipped()
    recalls, skews, dual, summary, samples, choices = tables(cases, options.draws)
    text = "\n".join(
        [
            "R@1 of the raw similarities in %, and what each normalizer adds to it:",
            "",
            *recalls,
            "",
            "Skewness of the 10-occurrence:",
            "",
            *skews,
            "",
            "R@1 again, with a gallery bank in addition to the querybank:",
            "",
            *dual,
            "",
            "All cases together:",
            "",
            *summary,
            "",
            "With a sample of queries without labels, which are not evaluated, in "
            f"{options.draws} draws:",
            "",
            *samples,
            "",
            "Chosen by `NormalizerSearch` with some of the queries, and measured on "
            f"others, in {options.draws} draws of the labels:",
            "",
            *choices,
        ]
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
