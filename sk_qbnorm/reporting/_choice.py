"""The recommended choice: a normalizer or none, and why."""

from inspect import signature
from typing import NamedTuple

from sk_qbnorm.normalizers import SinkhornNormalizer
from sk_qbnorm.querybanks import FEW_HUBS

SEARCH = "NormalizerSearch"
MIX = "MixNormalizer"
RAW = "raw"
_SMALL_BANK = 100  # bank queries, below which the bias is shrunk
_SMALL_SAMPLE = 25  # queries without labels, below which they are no sample
_SETTINGS = ("metric", "memory_budget", "copy", "n_jobs", "verbose", "queries")


def careful(n_bank, beta):
    """Return the normalizer for a bank of which nothing is known, and its name."""
    if n_bank < _SMALL_BANK:
        name = "SinkhornNormalizer(alpha=0.5, shrinkage='noise')"
        return name, SinkhornNormalizer(alpha=0.5, beta=beta, shrinkage="noise")
    return "SinkhornNormalizer(alpha=0.5)", SinkhornNormalizer(alpha=0.5, beta=beta)


class Choice(NamedTuple):
    """A recommendation.

    Parameters
    ----------
    name : str
        The normalizer with its parameters, or ``"raw"`` to leave the scores alone.
    row : str
        The row of the comparison that shows what the correction does.
    reason : str
        One sentence.
    settings : str
        Python code.
    """

    name: str
    row: str
    reason: str
    settings: str


def choose(material, bank, comparison, beta):
    """Choose by labels, by a sample of the queries, or without either.

    Parameters
    ----------
    material : Material
    bank : dict of str to float
        The measures of `querybank_report`.
    comparison : dict of str to dict
    beta : float or "scale"
        Inverse temperature for a bank of which nothing is known.
    """
    variation = bank.get("hub_variation_queries", bank["hub_variation"])
    few = (
        f"Hubness is close to chance (hub variation {variation:.2f}, below {FEW_HUBS})"
    )
    if material.relevant is not None:
        return _by_labels(material, comparison, variation < FEW_HUBS, few)
    if material.queries is None or len(material.queries) < _SMALL_SAMPLE:
        row, normalizer = careful(len(material.bank), beta)
        if variation < FEW_HUBS:
            return _none(row, f"{few}.")
        reason = (
            f"With neither labels nor a sample of at least {_SMALL_SAMPLE} queries, "
            "Sinkhorn at half strength keeps most of the gain and limits the harm of a "
            "poor bank."
        )
        return _chosen(normalizer, row, reason, material)
    if variation < FEW_HUBS:
        return _none(MIX, f"{few}.")
    reason = (
        "Without labels, your queries serve as a sample: the mix uses the bank as far "
        f"as both agree on the hubs (hub agreement {bank['hub_agreement']:.2f}), and "
        "the queries for the rest."
    )
    return _chosen(material.mix(), MIX, reason, material)


def _by_labels(material, comparison, has_few_hubs, few):
    search = material.fit(material.search())
    row = comparison[SEARCH]
    measure = next(iter(row))  # recall at the smallest k
    gain, low, high = (100 * row[f"{measure}_{end}"] for end in ("gain", "low", "high"))
    short = measure.replace("recall", "R")
    interval = f"{gain:+.1f} points of {short} (95% interval {low:+.1f} to {high:+.1f})"
    n_labeled = len(search.queries)
    if search.best_index_ == 0:
        reason = (
            f"On {n_labeled} labeled queries, no correction was better than raw "
            "similarities."
        )
        return _none(SEARCH, reason)
    if low <= 0 and has_few_hubs:
        reason = (
            f"{few}, and the correction chosen by labels gains no more than noise: "
            f"{interval}."
        )
        return _none(SEARCH, reason)
    reason = (
        f"Chosen by {n_labeled} labeled queries: {interval} on queries that were not "
        "used for the choice."
    )
    if low <= 0:
        reason = f"{reason[:-1]}; the interval contains 0, so label more queries."
    return _chosen(search.best_estimator_, SEARCH, reason, material)


def _none(row, reason):
    return Choice(RAW, row, reason, "scores = sims  # no correction")


def _chosen(normalizer, row, reason, material):
    is_mix = hasattr(normalizer, "queries")
    params = {
        name: value
        for name, value in normalizer.get_params(deep=False).items()
        if name not in _SETTINGS and value != _default(normalizer, name)
    }
    given = ["queries"] * is_mix + [f"{name}={x!r}" for name, x in params.items()]
    name = type(normalizer).__name__
    call = f"{name}({', '.join(given)})"
    shown = call.replace("queries, ", "").replace("(queries)", "()")
    lines = [f"from sk_qbnorm import {name}", ""]
    if material.metric == "precomputed":
        lines += [
            f"normalizer = {call}.fit(bank)",
            "scores = normalizer.transform(sims)",
        ]
        lines = [line.replace("(queries", "(sims") for line in lines]
    else:
        lines[0] += ", pairwise_similarity"
        metric = "" if material.metric == "cosine" else f"metric={material.metric!r}"
        call = call[:-1] + (", " if given and metric else "") + metric + ")"
        options = f", {metric}" if metric else ""
        lines += [
            f"normalizer = {call}.fit(bank, gallery)",
            f"sims = pairwise_similarity(queries, gallery{options})",
            "scores = normalizer.transform(sims)",
        ]
    return Choice(shown, row, reason, "\n".join(lines))


def _default(normalizer, name):
    """Return the default value of a parameter."""
    return signature(type(normalizer)).parameters[name].default
