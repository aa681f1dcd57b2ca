"""Read tensors of safetensors files, and choose one of several."""

import json

import numpy as np

SAVE_TENSOR = "save the tensor with numpy.save(FILE, tensor.float().cpu().numpy())"
_LONGEST_HEADER = 2**27  # bytes; the format allows 100 MB
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "BOOL": "|b1",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
}


def choose(tensors, name, kind):
    """Return the tensor with a name, or the only one."""
    if name is None and len(tensors) == 1:
        return next(iter(tensors.values()))
    if name not in tensors:
        known = ", ".join(map(repr, tensors)) or "none"
        raise ValueError(
            f"the file holds the arrays {known}; choose one with FILE.{kind}:NAME"
        )
    return tensors[name]


def is_safetensors(start):
    """Return whether the first bytes are those of a safetensors file."""
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and 2 <= length < _LONGEST_HEADER


def read_safetensors(file, name):
    """Read one tensor of a safetensors file: a JSON header, then bytes."""
    data = file.read()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    tensor = choose(header, name, "safetensors")
    kind, (start, stop) = tensor["dtype"], tensor["data_offsets"]
    if kind not in _DTYPES:
        raise ValueError(f"this safetensors file holds {kind} numbers; {SAVE_TENSOR}")
    array = np.frombuffer(data[begin + start : begin + stop], dtype=_DTYPES[kind])
    if kind == "BF16":  # the upper half of float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(tensor["shape"]).copy()
