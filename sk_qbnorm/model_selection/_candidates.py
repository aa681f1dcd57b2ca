"""The normalizers that `NormalizerSearch` chooses from."""

from __future__ import annotations

from collections.abc import Iterable

from sklearn.base import clone

from sk_qbnorm.normalizers import (
    BaseNormalizer,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
)

ALPHAS = (0.25, 0.5, 0.75, 1.0)
BETAS = ("scale", 10.0, 20.0, 40.0, 80.0)
SINKHORN_BETAS = ("scale", 50.0, 100.0)
COUNTS_OF_NEIGHBORS = (1, 4, 16, 64)

# Parameters that do not change results.
SETTINGS = frozenset(("metric", "memory_budget", "copy", "n_jobs", "verbose"))


def default_candidates() -> list[BaseNormalizer]:
    """Return the default candidates of `NormalizerSearch`.

    Returns
    -------
    candidates : list of normalizers
        The 68 normalizers listed in the notes, unfitted. Raw similarities are not
        among them, because a search adds them.

    See Also
    --------
    NormalizerSearch : Chooses one of them.

    Notes
    -----
    `InvertedSoftmax` and `DynamicInvertedSoftmax` with `beta` of 10, 20, 40, 80 and
    ``"scale"``; `NearestNeighborNormalizer` with 1, 4, 16 and 64 neighbors;
    `SinkhornNormalizer` with `beta` of 50, 100 and ``"scale"``; each of these with
    `alpha` of 0.25, 0.5, 0.75 and 1. The numbers for `beta` suit cosine similarities;
    ``"scale"`` suits all.

    Examples
    --------
    >>> from sk_qbnorm.model_selection import default_candidates
    >>> candidates = default_candidates()
    >>> len(candidates), candidates[0]
    (68, InvertedSoftmax(alpha=0.25))
    """
    families = [
        *(InvertedSoftmax(beta=beta) for beta in BETAS),
        *(DynamicInvertedSoftmax(beta=beta) for beta in BETAS),
        *(NearestNeighborNormalizer(n_neighbors=k) for k in COUNTS_OF_NEIGHBORS),
        *(SinkhornNormalizer(beta=beta) for beta in SINKHORN_BETAS),
    ]
    return [
        clone(family).set_params(alpha=alpha) for family in families for alpha in ALPHAS
    ]


def check_candidates(candidates):
    """Return the candidates as a list, the default ones for None, else raise."""
    if candidates is None:
        return default_candidates()
    if isinstance(candidates, BaseNormalizer) or not isinstance(candidates, Iterable):
        raise ValueError(
            f"candidates must be a list of normalizers, got {candidates!r}; pass a "
            "list such as [InvertedSoftmax(), CSLS()], even of one."
        )
    candidates = list(candidates)
    for candidate in candidates:
        if not isinstance(candidate, BaseNormalizer):
            raise ValueError(
                "candidates must be normalizers of sk_qbnorm, got "
                f"{candidate!r}; pass a list such as [InvertedSoftmax(), CSLS()]."
            )
    return candidates


def no_correction():
    """Return a normalizer that changes nothing and fits fast."""
    return NearestNeighborNormalizer(alpha=0.0, n_neighbors=1)


def parameters_of(normalizer, exclude=()):
    """Return the parameters of a normalizer that change results, except some."""
    left_out = SETTINGS.union(exclude)
    params = normalizer.get_params(deep=False)
    return {name: value for name, value in params.items() if name not in left_out}
