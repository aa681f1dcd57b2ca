"""A fixed sample of similarities."""

from sk_qbnorm._arrays import take_rows

from ._matrix import matrix_tiles

SAMPLE_ROWS = 256
SAMPLE_ITEMS = 4096


def sample_tiles(queries, gallery=None):
    """Return tiles of the first bank queries and of evenly spaced items.

    The first rows are used so that a bank in parts has the same sample as the whole.

    Parameters
    ----------
    queries : ndarray or CSR matrix of shape (n_rows, n_features)
        Only the first 256 rows are used. Similarities if there is no gallery.
    gallery : Gallery, default=None
    """
    rows = take_rows(queries, slice(SAMPLE_ROWS))
    if gallery is None:
        return matrix_tiles(rows[:, :: sample_step(rows.shape[1])])
    step = sample_step(gallery.embeddings.shape[0], gallery.metric)
    return gallery.take_items(slice(None, None, step)).tiles(rows)


def sample_step(n_items, metric=None):
    """Return the distance of the items in the sample of a gallery."""
    if callable(metric):  # it always gets the whole gallery
        return 1
    return -(-n_items // SAMPLE_ITEMS)
