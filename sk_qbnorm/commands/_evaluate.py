"""``python -m sk_qbnorm evaluate``: matrices from files, corrected and measured."""

from pathlib import Path

import numpy as np

from sk_qbnorm.datasets import load_matrix

from ._names import NORMALIZERS
from ._table import write_heading, write_row


def evaluate(
    bank,
    sims,
    *,
    relevant=None,
    masks=None,
    direction="text-to-video",
    normalizer="dis",
    save=None,
    write=print,
    **settings,
):
    """Correct the similarities in a file and write what it does.

    Parameters
    ----------
    bank, sims : str
        Files of matrices, bank queries x gallery and queries x gallery. They are
        transposed for ``direction="video-to-text"``.
    relevant : str, default=None
        File of one gallery index a query, or of an indicator.
    masks : str, default=None
        File of 0 for captions that are missing and 1 for the others.
    direction : {"text-to-video", "video-to-text"}, default="text-to-video"
        Whether the rows of `sims` or its columns are the queries.
    normalizer : {"is", "dis", "csls", "gc", "nnn", "sinkhorn", "all"}, default="dis"
        Which correction.
    save : str, default=None
        Where to write the corrected similarities, as ``.npy``.
    write : callable, default=print
        Is given one line of text at a time.
    **settings : dict
        Parameters of the normalizer; None for its default.
    """
    normalizers = _make_normalizers(normalizer, settings, save)
    bank, sims = _load_pair(bank, sims)
    mask = None if masks is None else _load_mask(masks, sims.shape[0])
    if direction == "video-to-text":
        bank, sims = bank.T, sims.T
    _check_gallery(bank, sims)
    relevant = _load_relevant(relevant, sims.shape, direction, write)
    query_mask = None
    if mask is not None:
        write(f"masks: {(~mask).sum()} of {mask.size} captions are missing")
        if direction == "text-to-video":
            query_mask = mask
        else:  # missing captions are no queries here but gallery items: they leave it
            bank, sims = bank[:, mask], sims[:, mask]
            relevant, query_mask = _without(relevant, mask, write)
    write(
        f"{len(sims)} queries, {sims.shape[1]} gallery items, {len(bank)} bank queries"
    )
    write_heading(write)
    write_row(write, "raw", sims, relevant, query_mask=query_mask)
    for each in normalizers:
        scores = each.fit(bank).transform(sims)
        name = type(each).__name__
        write_row(write, name, scores, relevant, query_mask=query_mask)
    if save is not None:
        with open(save, "wb") as file:  # np.save would add an ending to the name
            np.save(file, scores)
        write(f"corrected similarities, shape {scores.shape}, written to {save}")


def _make_normalizers(normalizer, settings, save):
    chosen = NORMALIZERS if normalizer == "all" else (normalizer,)
    settings = {name: value for name, value in settings.items() if value is not None}
    if len(chosen) > 1 and save is not None:
        raise ValueError("--save takes one normalizer, got --normalizer all.")
    if save is not None and not Path(save).absolute().parent.is_dir():
        raise ValueError(f"--save {save}: there is no such folder.")
    if save is not None and Path(save).is_dir():
        raise ValueError(f"--save {save} is a folder; give the name of a file.")
    made = []
    for name in chosen:
        each = NORMALIZERS[name](metric="precomputed")
        unknown = set(settings) - set(each.get_params())
        if unknown and normalizer != "all":
            option = min(unknown).replace("_", "-")
            raise ValueError(f"the normalizer {name} has no --{option}; leave it out.")
        known = {key: settings[key] for key in settings if key not in unknown}
        made.append(each.set_params(**known))
    return made


def _load_pair(bank, sims):
    matrices = load_matrix(bank), load_matrix(sims)
    for path, matrix in zip((bank, sims), matrices, strict=True):
        if matrix.ndim != 2 or matrix.size == 0:
            raise ValueError(
                f"{path} must hold a matrix of similarities, got shape {matrix.shape}."
            )
    return matrices


def _check_gallery(bank, sims):
    if bank.shape[1] != sims.shape[1]:
        advice = (
            "is one of them transposed"
            if sims.shape[1] in bank.shape
            else ("are both of the same gallery")
        )
        raise ValueError(
            "The bank and the similarities must have one column an item of the same "
            f"gallery, got shapes {bank.shape} and {sims.shape}: {advice}?"
        )


def _load_mask(path, n_captions):
    mask = load_matrix(path).ravel()
    if mask.size != n_captions or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"{path} must hold 0 or 1 for each of the {n_captions} captions, got "
            f"{mask.size} values, such as {', '.join(map(str, mask[:3]))}."
        )
    if not mask.any():
        raise ValueError(f"{path} leaves no caption; expected at least one 1.")
    return mask.astype(bool)


def _load_relevant(path, shape, direction, write):
    """Return what is relevant; where it is not given, say what is taken."""
    n_queries, n_gallery = shape
    if path is not None:
        relevant = load_matrix(path)
        whole = relevant.dtype.kind in "iu" and relevant.shape == (n_queries,)
        indices = whole and ((relevant >= 0) & (relevant < n_gallery)).all()
        indicator = relevant.shape == shape and np.isin(relevant, (0, 1)).all()
        if not indices and not indicator:
            raise ValueError(
                f"{path} must hold {n_queries} gallery indices in [0, {n_gallery}), or "
                f"0 and 1 in the shape {shape}, got {relevant.dtype} of shape "
                f"{relevant.shape}."
            )
        return relevant
    if n_queries == n_gallery:
        write("relevant: not given; the diagonal is taken (query i asks for item i)")
        return np.arange(n_queries)
    text_to_video = direction == "text-to-video"
    n_captions, n_videos = shape if text_to_video else shape[::-1]
    size, left_over = divmod(n_captions, n_videos)
    if left_over or not size:
        raise ValueError(
            f"The similarities are of {n_queries} queries x {n_gallery} gallery items, "
            f"and {n_captions} captions are not a whole number for each of {n_videos} "
            "videos; say what is relevant with --relevant."
        )
    write(
        f"relevant: not given; groups of {size} captions in a row are taken for each "
        f"of the {n_videos} videos"
    )
    groups = np.repeat(np.arange(n_videos), size)
    if text_to_video:
        return groups
    return (groups == np.arange(n_videos)[:, None]).astype(np.int8)


def _without(relevant, mask, write):
    """Return what is relevant of the items that stay, and the queries that have any."""
    if relevant.ndim == 2:
        relevant = relevant[:, mask]
        query_mask = relevant.any(axis=1)
    else:
        query_mask = mask[relevant]
        relevant = (np.cumsum(mask) - 1)[relevant]
    if not query_mask.all():
        write(f"masks: {(~query_mask).sum()} videos have no caption left: not measured")
    return relevant, query_mask
