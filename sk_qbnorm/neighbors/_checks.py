"""What a retriever makes of what it is given: queries, banks and a normalizer."""

import copy
from collections.abc import Iterator
from functools import partial

from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from sk_qbnorm import distributed
from sk_qbnorm._embeddings import check_embeddings, check_same_columns, filled
from sk_qbnorm._validation import check_features, column_names
from sk_qbnorm.normalizers import DynamicInvertedSoftmax
from sk_qbnorm.normalizers._base import BaseNormalizer


class InputChecker(BaseEstimator):
    """Check embeddings, and give the normalizer what the retriever says."""

    normalizer_: BaseNormalizer

    def _new_normalizer(self):
        """Return the normalizer to be fitted, with what the retriever says."""
        normalizer = DynamicInvertedSoftmax()
        if self.normalizer is not None:
            normalizer = self.normalizer
        if not isinstance(normalizer, BaseNormalizer):
            raise ValueError(
                f"normalizer must be a normalizer of sk_qbnorm, got {normalizer!r}; "
                "pass one such as InvertedSoftmax()."
            )
        if normalizer.metric not in ("cosine", "precomputed", self.metric):
            raise ValueError(
                f"The retriever compares by its own metric={self.metric!r}, but its "
                f"normalizer was given {normalizer.metric!r}; give this to the "
                "retriever."
            )
        settings = {"metric": self.metric, "n_jobs": self.n_jobs}
        return clone(normalizer).set_params(**settings, verbose=self.verbose)

    def _normalizer_now(self):
        """Return a copy of the fitted normalizer with the parameters of now."""
        normalizer, now = copy.copy(self.normalizer_), self._new_normalizer()
        if type(now) is not type(normalizer):
            raise ValueError(
                f"The normalizer was {type(normalizer).__name__} when the gallery was "
                f"first probed and is {type(now).__name__} now; call fit to start anew."
            )
        return normalizer.set_params(**now.get_params(deep=False))

    def _check_gallerybank(self, gallerybank, normalizer, columns):
        """Return the gallery bank as what a normalizer is given beside a querybank.

        The normalizer holds it to the gallery, but may be shown that without the names
        of its columns.
        """
        if gallerybank is None:
            return {}
        if not has_fit_parameter(normalizer, "gallerybank"):
            raise ValueError(
                f"{type(normalizer).__name__} has no use for a gallery bank, got one; "
                "leave it out, or take a normalizer such as DualInvertedSoftmax()."
            )

        def checked(part):
            check_same_columns(column_names(part), columns, "gallerybank", self.metric)
            return part

        if isinstance(gallerybank, Iterator):
            return {"gallerybank": map(checked, gallerybank)}
        return {"gallerybank": checked(gallerybank)}

    def _check_queries(self, queries, name, *, reset):
        """Return queries as the normalizer and the search take them."""
        if isinstance(queries, Iterator) and name != "queries":
            return self._check_parts(queries, name, reset)
        if isinstance(queries, Iterator):
            raise ValueError(
                "queries must be a matrix, got an iterator; ask for a part at a time."
            )
        if not distributed.is_dask(queries):
            return self._check_features(queries, name, reset)
        distributed.check_two_dimensions(queries, name)
        if reset:
            self.n_features_in_ = queries.shape[1]
            vars(self).pop("feature_names_in_", None)
        return queries

    def _check_parts(self, parts, name, reset):
        for part in filled(parts):
            yield self._check_features(part, name, reset)
            reset = False

    def _check_features(self, queries, name, reset):
        check = partial(check_embeddings, keep_on_disk=True)
        options = {"reset": reset, "n_jobs": self.n_jobs, "check": check}
        return check_features(self, queries, name, **options)
