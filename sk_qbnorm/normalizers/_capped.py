"""Cap the share of the bank queries that any gallery item may win."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sk_qbnorm.corrections import Additive
from sk_qbnorm.similarity import Metric
from sk_qbnorm.statistics import Bank, Caps, check_caps, largest_count

from ._dynamic import WrappingNormalizer
from ._mix import MixNormalizer
from ._vector_index import AdditiveNormalizer


class CappedNormalizer(WrappingNormalizer):
    r"""Cap the share of the bank queries that any gallery item may win.

    Whoever can add an item to a gallery can plant a hub: one vector that becomes the
    best answer of many queries. This raises the bias of each item that is among the k
    best of too many bank queries, until it is not. Other items keep the bias of
    `normalizer`, and a raised item still wins where it wins clearly.

    Parameters
    ----------
    normalizer : normalizer or None
        Any normalizer that subtracts a bias per item and has no gate, such as
        ``InvertedSoftmax()``, or a `MixNormalizer`. A clone is fitted, with the
        `metric` set here. Changes to it take effect at the next fit. None caps the raw
        similarities.
    caps : dict of int to float, default=None
        From k to the largest share of the bank queries that may have one item among
        their k best, in (0, 1). None means ``{1: 0.01, 10: 0.05}``. The bank needs at
        least 1 / share queries, better ten times as many. Set a larger share if there
        are items that more of the queries ask for.
    metric : {"cosine", "dot", "precomputed"} or callable, default=None
        How `fit` compares the querybank with the gallery, as in `pairwise_similarity`.
        None means cosine if `fit` receives a gallery, and precomputed similarities if
        it does not.
    copy : bool, default=True
        If False, `transform` may overwrite its input.
    n_jobs : int, default=None
        Number of threads. None uses as many as BLAS would, 1 is single-threaded, -1
        uses all processors. The result does not depend on it.
    verbose : bool, default=False
        Whether `fit` reports its progress.

    Attributes
    ----------
    normalizer_ : normalizer or None
        The fitted normalizer, without the caps.
    gallery_bias_ : ndarray of shape (n_gallery,), dtype float64
        What is subtracted from the similarities to each item, :math:`b_j` below.
    raised_ : ndarray of shape (n_gallery,), dtype bool
        Which items have a larger bias than `normalizer` gives them.
    bank_share_ : ndarray of shape (n_gallery, n_caps), dtype float64
        Share of the bank queries that have each item among their k best without the
        caps, one column per cap, in ascending order of k.
    thresholds_ : ndarray of shape (n_bank, n_caps), dtype float64
        Score that a new item must not reach to stay out of the k best of each bank
        query; infinity for a cap that is ignored because the gallery is too small.
    metric_ : str or callable
        Metric of the last `fit`.
    gallery_names_ : ndarray of shape (n_gallery,) or None
        Names of the gallery items, strings or integers.
    n_bank_seen_ : int
        Number of bank queries.
    n_features_in_ : int
        Number of gallery items.
    feature_names_in_ : ndarray of shape (n_gallery,)
        Names of the gallery items, defined if all of them are strings.

    See Also
    --------
    sk_qbnorm.querybanks.admission_report : Check items before they are added.
    sk_qbnorm.metrics.hub_suspects : Find hubs in a gallery.

    Notes
    -----
    With n bank queries, :math:`p_{ij}` the similarity of bank query i to item j, and
    :math:`\tilde b_j` the bias of `normalizer`, query q scores item j :math:`s_{qj} -
    b_j`, and

    .. math::

        b_j &= \max \left( \tilde b_j, \max_k f_j^{(k)} \right), \\
        f_j^{(k)} &= (r_k + 1)\text{-th largest over } i \text{ of } p_{ij} -
        T_i^{(k)}, \qquad r_k = \lfloor \tau_k n \rfloor

    for the caps :math:`k \mapsto \tau_k`. The threshold :math:`T_i^{(k)}` is the k-th
    best corrected score of bank query i over the items that are within their shares,
    without j. Items over their share are left out, so that planted items do not vouch
    for each other. Biases and thresholds depend on each other, so both are computed in
    rounds, at most five.

    *Guarantee for the bank.* An item that is added with its bias is among the k best of
    at most :math:`r_k` bank queries.

    *Guarantee for later queries.* If a query is exchangeable with the bank queries, and
    the item was chosen without knowledge of the bank, then

    .. math:: P(\text{item among the first } k) \le \frac{r_k + 1}{n + 1}

    on average over banks. For one bank, with confidence :math:`1 - \delta`, the rate is
    at most the quantile :math:`\mathrm{BetaInv}(1 - \delta; r_k + 1, n - r_k)`; for the
    best of N items that somebody tries, :math:`\delta / N` takes the place of
    :math:`\delta`. Both treat the biases of the other items as given: they come from
    the same bank, which is a small effect for a large bank. The guarantee does not hold

    - if the attacker knows the bank: keep part of it secret, and replace it regularly;
    - for queries unlike the bank queries;
    - for many different hubs together: each of them may take its share;
    - within a narrow topic: a hub for less than :math:`\tau_1` of the queries is within
      its share.

    The rule is our own. ``python -m benchmarks.planted`` measures it. Normalizers of
    two banks cannot be wrapped: they do not learn one bias per item from one bank.

    A `MixNormalizer` is fitted first, to the bank and to its sample; then its biases
    are capped by the bank, which is required. If the gallery changes, the mix adapts,
    and its biases are shifted so that those of the known items keep their mean, which
    changes no ranking. `add_gallery` then needs embeddings, because the sample has to
    be compared with the new items too. With such a mix it cannot be wrapped itself.

    `CSLS` doubles similarities and subtracts the mean of the query's neighbors; scores
    here do neither, which ranks the items of a query alike.

    `add_gallery` compares new items with `thresholds_`, which stay as they are, as they
    do in `remove_gallery`. Call `fit` again once a large part of the gallery has
    changed. There is no `partial_fit`: the thresholds depend on the whole bank and the
    whole gallery. Call `fit` with all of both, which may be `numpy.memmap` or Dask
    arrays; for a growing bank, call it now and then, and `add_gallery` in between.

    `fit` visits the bank twice more than `normalizer` if no item is over its share, and
    up to 25 times in five rounds. Dask arrays are read again in every visit, and
    compared on this machine, one block of the bank with one of the gallery at a time;
    use large blocks, and call `persist()` on them if memory allows. Memory: a few
    numbers per bank query and per gallery item, and some hundred MiB at most for the
    similarities of items over their share.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_qbnorm import CappedNormalizer, NearestNeighborNormalizer
    >>> from sk_qbnorm.datasets import load_emoji_names_hi_en
    >>> data = load_emoji_names_hi_en()
    >>> hub = data.bank_queries.mean(axis=0)  # near all queries
    >>> gallery = np.vstack([data.gallery, hub])
    >>> plain = NearestNeighborNormalizer().fit(data.bank_queries, gallery)
    >>> capped = CappedNormalizer(plain).fit(data.bank_queries, gallery)
    >>> bool(capped.raised_[-1])
    True
    >>> capped.bank_share_[-1].round(2)  # without the caps
    array([0.18, 0.75])
    """

    _fits_in_parts = False
    _mix = None  # the fitted MixNormalizer, if it is one
    _shift = 0.0  # of the biases of the mix since `fit`

    @property
    def _needs_all_items(self):
        if isinstance(self.normalizer, MixNormalizer):
            return True
        return self.normalizer is not None and self.normalizer._needs_all_items

    normalizer_: AdditiveNormalizer | MixNormalizer | None
    gallery_bias_: NDArray
    thresholds_: NDArray

    def __init__(
        self,
        normalizer: AdditiveNormalizer | MixNormalizer | None,
        caps: Mapping[int, float] | None = None,
        *,
        metric: Metric | None = None,
        copy: bool = True,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.normalizer = normalizer
        self.caps = caps
        self.metric = metric
        self.copy = copy
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _can_wrap(self, normalizer):
        return isinstance(normalizer, MixNormalizer) or super()._can_wrap(normalizer)

    def _check_parameters(self):
        if self.normalizer is not None:
            super()._check_parameters()
        check_caps(self.caps)

    def _statistics(self, tiles, spread):
        found = {}
        if isinstance(self.normalizer, MixNormalizer):
            if self._mix is None:
                raise ValueError(
                    "CappedNormalizer must be fitted itself if it caps a "
                    "MixNormalizer, which learns from a sample too; call its fit, not "
                    "that of a normalizer that wraps it."
                )
        elif self.normalizer is not None:
            found = dict(super()._statistics(tiles, spread))

        def bias():
            bank = Bank(*tiles.shape, found, settings={"metric": self.metric})
            return self._bias_without_caps(bank)[1]

        found["caps"] = Caps(tiles, check_caps(self.caps), [*found.values()], bias)
        return found

    def _bias_without_caps(self, bank):
        """Return the normalizer, fitted to this bank, and its biases."""
        if self._mix is not None:
            bias = _bias_of(self._mix) - self._shift
            return self._mix, bias[-bank.n_gallery :]  # the bank may be of new items
        if self.normalizer is None:
            return None, np.zeros(bank.n_gallery)
        normalizer = clone(self.normalizer).set_params(metric=self.metric)
        normalizer._finalize(bank)
        return normalizer, _bias_of(normalizer)

    def _accumulate(
        self, querybank, gallery, metric, gallerybank=None, known=None, same_items=True
    ):
        if known is None:
            self._mix, self._shift = None, 0.0
            if isinstance(self.normalizer, MixNormalizer):
                self._mix = self._fitted_mix(querybank, gallery, metric)
        elif self._mix is not None:
            if metric == "precomputed":
                raise ValueError(
                    "add_gallery needs embeddings if CappedNormalizer caps a "
                    "MixNormalizer, whose sample is compared with the new items too, "
                    "got similarities; call fit with the similarities to all items."
                )
            grown = copy(self._mix).add_gallery(querybank, gallery)
            self._replace_mix(grown, slice(None), slice(known.n_gallery))
        return super()._accumulate(
            querybank, gallery, metric, gallerybank, known, same_items
        )

    def _bank_of_items(self, left, querybank, gallery):
        if self._mix is not None:
            is_gone = np.ones(self.n_features_in_, dtype=bool)
            is_gone[left] = False
            rest = copy(self._mix).remove_gallery(is_gone, querybank, gallery)
            self._replace_mix(rest, left, slice(None))
        return super()._bank_of_items(left, querybank, gallery)

    def _fitted_mix(self, querybank, gallery, metric):
        self._check_parameters()
        if querybank is None:
            raise ValueError(
                "querybank must be a matrix for CappedNormalizer, which counts the "
                "bank queries that an item wins, got None; pass bank queries, or use "
                "the MixNormalizer without caps."
            )
        if isinstance(querybank, Iterator):
            raise ValueError(Caps.not_mergeable_reason)
        settings = {"n_jobs": self.n_jobs, "verbose": self.verbose}
        mix = clone(self.normalizer).set_params(metric=self.metric, **settings)
        return mix._fit(querybank, gallery, metric, warn=False)

    def _replace_mix(self, mix, before, after):
        """Keep the mean bias of the same items, which the thresholds depend on."""
        moved = _bias_of(mix)[after] - _bias_of(self._mix)[before]
        self._mix, self._shift = mix, self._shift + moved.mean()

    def _set_fitted_attributes(self, bank):
        self.normalizer_, bias = self._bias_without_caps(bank)
        caps = bank["caps"]
        floors = caps.value()
        self.gallery_bias_ = np.maximum(bias, floors)
        self.raised_ = floors > bias
        self.bank_share_, self.thresholds_ = caps.shares, caps.thresholds

    def _correction(self):
        return Additive(self.gallery_bias_)

    def _fit_warnings(self):
        if self.normalizer is not None:
            yield from super()._fit_warnings()
        n_bank, n_gallery = self.n_bank_seen_, self.n_features_in_
        for k, share in check_caps(self.caps).items():
            if k >= n_gallery:
                yield (
                    f"The cap for k={k} is ignored, because the gallery has only "
                    f"{n_gallery} items; pass caps with a smaller k.",
                    UserWarning,
                )
            elif largest_count(share, n_bank) == 0:
                yield (
                    f"The cap of {share:.2g} for k={k} lets no item be among the {k} "
                    f"best of any of the {n_bank} bank queries; pass at least "
                    f"{int(np.ceil(1 / share))} bank queries, or a larger share.",
                    UserWarning,
                )


def _bias_of(normalizer):
    """Return the biases of a fitted normalizer in units of the similarities."""
    correction = normalizer._correction()
    return correction.bias / correction.scale
