"""What PyTorch has beside the Python array API, or in place of it."""

import numpy as np
import torch

_NUMPY_DTYPES = (torch.float32, torch.float64, torch.float16)


def to_numpy(tensor):
    """Return a tensor as a NumPy array; bfloat16 becomes float32."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.dtype not in _NUMPY_DTYPES:
        tensor = tensor.float()
    return tensor.numpy()


def largest(tensor, k, axis):
    """Return the k largest entries along an axis, in descending order."""
    return torch.topk(tensor, k, dim=axis).values


def row_top_k(tensor, k):
    """Return the k largest entries of each row: larger first, then smaller column.

    Returns
    -------
    values, columns : ndarray of shape (n_rows, k)
    """
    found = torch.topk(tensor, k, dim=1)
    values, columns = to_numpy(found.values), to_numpy(found.indices)
    order = np.lexsort((columns, -values))
    values = np.take_along_axis(values, order, 1)
    columns = np.take_along_axis(columns, order, 1)
    # Of entries that equal the last one, topk chooses any.
    unsure = (tensor >= found.values[:, -1:]).sum(dim=1) > k
    if unsure.any():
        rows = torch.sort(tensor[unsure], dim=1, descending=True, stable=True)
        places = to_numpy(unsure)
        values[places] = to_numpy(rows.values[:, :k])
        columns[places] = to_numpy(rows.indices[:, :k])
    return values, columns
