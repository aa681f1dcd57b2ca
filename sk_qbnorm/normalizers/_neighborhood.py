"""What CSLS and NNN share: a bias from each item's nearest bank queries."""

from sk_qbnorm._validation import check_count
from sk_qbnorm.bank import TopMean

from ._augmenting import AdditiveNormalizer


class NeighborhoodNormalizer(AdditiveNormalizer):
    """Learn the mean of the `n_neighbors` largest similarities of each column."""

    def _check_parameters(self):
        check_count(self.n_neighbors, "n_neighbors")

    def _statistics(self, tiles):
        return {"top_mean": TopMean(tiles, int(self.n_neighbors))}

    def _conclude(self, bank):
        self.n_neighbors_ = bank["top_mean"].n_neighbors
        self.gallery_bias_ = bank["top_mean"].value()

    def _doubts(self):
        if self.n_neighbors_ < self.n_neighbors:
            yield (
                f"n_neighbors={self.n_neighbors} is more than the {self.n_bank_seen_} "
                f"queries of the bank: {self.n_neighbors_} are used.",
                UserWarning,
            )
