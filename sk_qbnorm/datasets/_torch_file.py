"""Read tensors of PyTorch files without running code."""

import pickle

from ._tensors import SAVE_TENSOR, choose


def read_torch(file, name):
    """Read one tensor of a PyTorch file, by its safe loader."""
    try:
        import torch
    except ImportError:
        raise ValueError(
            f"this is a PyTorch file; install torch to read it, or {SAVE_TENSOR}"
        ) from None
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        raise ValueError(
            f"this is a PyTorch file, and torch {torch.__version__} can run code from "
            f"such files; install torch 2.6 or later, or {SAVE_TENSOR}"
        )
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            "refused: this PyTorch file is damaged or holds more than tensors "
            f"({str(error).partition(chr(10))[0]}); {SAVE_TENSOR}"
        ) from error
    if isinstance(found, dict):
        tensors = {str(key): x for key, x in found.items() if torch.is_tensor(x)}
        found = choose(tensors, name, "pt")
    if not torch.is_tensor(found):
        kind = type(found).__name__
        raise ValueError(f"this PyTorch file holds a {kind}; {SAVE_TENSOR}")
    if found.is_floating_point() and found.element_size() < 4:
        found = found.float()  # numpy has no bfloat16
    return found.detach().to_dense().numpy()
