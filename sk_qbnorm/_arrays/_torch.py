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
    """Return the k largest entries of each row, and which rows are ambiguous.

    Of entries that equal the last one, any may be among them.

    Returns
    -------
    values, columns : ndarray of shape (n_rows, k)
        Larger first, then the smaller column.
    unsure : ndarray of shape (n_rows,), dtype bool
    """
    found = torch.topk(tensor, k, dim=1)
    n_kept = (tensor >= found.values[:, -1:]).sum(dim=1)
    values, columns = to_numpy(found.values), to_numpy(found.indices)
    order = np.lexsort((columns, -values))
    sort = (np.take_along_axis(each, order, 1) for each in (values, columns))
    return *sort, to_numpy(n_kept > k)
