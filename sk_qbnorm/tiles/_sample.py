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
        return matrix_tiles(rows[:, :: _step(rows.shape[1])])
    if not callable(gallery.metric):  # it always gets the whole gallery
        n_gallery = gallery.embeddings.shape[0]
        items = slice(None, None, _step(n_gallery))
        gallery = gallery.take_items(items)
    return gallery.tiles(rows)


def _step(n_items):
    return -(-n_items // SAMPLE_ITEMS)
