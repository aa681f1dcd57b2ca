"""What PyTorch has beside the Python array API, or in place of it."""

import numpy as np


def to_numpy(tensor):
    """Return a tensor as a NumPy array; bfloat16 becomes float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()


def largest(tensor, k, axis):
    """Return the k largest entries along an axis, in descending order."""
    return tensor.topk(k, dim=axis).values


def row_top_k(tensor, k):
    """Return the k largest entries of each row: larger first, then smaller column.

    Returns
    -------
    values, columns : ndarray of shape (n_rows, k)
    """
    found = tensor.topk(k, dim=1)
    values, columns = to_numpy(found.values), to_numpy(found.indices)
    order = np.lexsort((columns, -values))
    values = np.take_along_axis(values, order, 1)
    columns = np.take_along_axis(columns, order, 1)
    # Of entries that equal the last one, topk chooses any.
    unsure = (tensor >= found.values[:, -1:]).sum(dim=1) > k
    if unsure.any():
        rows = tensor[unsure].sort(dim=1, descending=True, stable=True)
        places = to_numpy(unsure)
        values[places] = to_numpy(rows.values[:, :k])
        columns[places] = to_numpy(rows.indices[:, :k])
    return values, columns
