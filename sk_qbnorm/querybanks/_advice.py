"""Advice from the measures of a querybank."""

# The notes of querybank_report explain these thresholds.
FEW_HUBS = 0.6
SMALL = 0.5
STRONG_HUBS = 1.5
NOISY = 0.5
FOREIGN = 0.6
UNEXPECTED = 0.2
FAR = 1.2


def advice_on(measures):
    """Return one sentence of advice per measure that speaks against the bank.

    Parameters
    ----------
    measures : dict of str to float
        The measures of `querybank_report`, with or without a sample of queries.

    Returns
    -------
    advice : dict of str to str
        From the name of the measure to the advice; empty for a good bank.
    """
    advice = _on_bank(measures)
    if "hub_agreement" in measures:
        advice |= _on_domain(measures)
    return advice


def _on_bank(measures):
    advice = {}
    name = "hub_variation_queries"
    if name not in measures:
        name = "hub_variation"
    if measures[name] < FEW_HUBS:
        advice[name] = (
            f"There are few hubs to correct: {name} is {measures[name]:.2f}, below "
            f"{FEW_HUBS}. Leave the scores alone, unless labeled queries show a gain."
        )
    expected = measures["activated_expected"]
    if expected < SMALL and measures[name] < STRONG_HUBS:
        advice["activated_expected"] = (
            f"The bank is small for this gallery: it reaches {measures['coverage']:.0%}"
            f" of the items, of {measures['coverage_limit']:.0%} that a bank of its "
            f"size can reach, and {expected:.0%} of more queries like its own would "
            f"have a best item that it activates, below {SMALL:.0%}. Add bank queries."
        )
    error, spread = measures["bias_standard_error"], measures["bias_spread"]
    if error > NOISY * spread:
        advice["bias_standard_error"] = (
            f"The bias is noisy: its standard error, {error:.2g}, is above {NOISY:.0%} "
            f"of its spread over the items, {spread:.2g}. Add bank queries, or lower "
            "beta."
        )
    return advice


def _on_domain(measures):
    advice = {}
    agreement, expected = measures["hub_agreement"], measures["activated_expected"]
    activated = measures["activated_queries"]
    would_agree = expected >= SMALL or expected - activated > UNEXPECTED
    if agreement < FOREIGN and would_agree:
        advice["hub_agreement"] = (
            "The bank seems to be of another domain than the queries: hub_agreement is "
            f"{agreement:.2f}, below {FOREIGN}, and the bank activates the best item of"
            f" {activated:.0%} of the queries where {expected:.0%} of its own would do "
            "so. Take bank queries of the domain of the queries, or leave the scores "
            "alone."
        )
    elif agreement < FOREIGN:
        advice["hub_agreement"] = (
            "The bank and the queries agree little on what the hubs are: hub_agreement "
            f"is {agreement:.2f}, below {FOREIGN}. The bank is too small, or of another"
            " domain."
        )
    gap = measures["similarity_gap"]
    if gap < -FAR:
        advice["similarity_gap"] = (
            "The bank queries are farther from the gallery than the queries: the last "
            f"items of their lists are less similar, by {-gap:.1f} standard deviations,"
            f" more than {FAR:.1f}. They may be of another domain."
        )
    return advice
