"""``python -m sk_qbnorm evaluate``: correct matrices from files and measure."""

import warnings
from pathlib import Path

import numpy as np

from sk_qbnorm.datasets import load_matrix
from sk_qbnorm.reporting import orient_bank

from ._columns import as_indices
from ._names import NORMALIZERS
from ._table import write_heading, write_row


def evaluate(
    bank,
    sims,
    *,
    relevant=None,
    masks=None,
    direction="text-to-video",
    bank_rows=None,
    normalizer="dis",
    save=None,
    write=print,
    **settings,
):
    """Correct the similarities in a file and write a table of the results.

    Parameters
    ----------
    bank, sims : str
        Files of matrices, bank queries x gallery and captions x videos. For
        ``direction="video-to-text"``, the captions of `sims` are the gallery.
    relevant : str, default=None
        File with one gallery index per query, or an indicator matrix.
    masks : str, default=None
        File with 0 for missing captions and 1 for the others.
    direction : {"text-to-video", "video-to-text"}, default="text-to-video"
        Whether the rows of `sims` or its columns are the queries.
    bank_rows : {"queries", "items"}, default=None
        What the rows of `bank` are; None to tell by its shape.
    normalizer : {"is", "dis", "csls", "gc", "nnn", "sinkhorn", "all"}, default="dis"
        The correction.
    save : str, default=None
        File for the corrected similarities, in ``.npy`` format.
    write : callable, default=print
        Called with one line of text at a time.
    **settings : dict
        Parameters of the normalizer; None for its default.
    """
    normalizers = _make_normalizers(normalizer, settings, save)
    sims_file = sims
    bank, sims, names = _load_pair(bank, sims, direction, bank_rows, write)
    mask = None
    if masks is not None:
        n_captions = sims.shape[0 if direction == "text-to-video" else 1]
        mask = _load_mask(masks, n_captions)
    relevant_file, query_mask = relevant, None
    if relevant_file is None:
        relevant = _assumed_relevant(sims.shape, direction, write)
    else:
        relevant = _load_relevant(relevant_file, sims.shape, names, sims_file)
    if mask is not None:
        write(f"masks: {(~mask).sum()} of {mask.size} captions are missing")
        if direction == "text-to-video":
            query_mask = mask
        else:  # captions are gallery items here: remove the missing ones
            bank, sims = bank[:, mask], sims[:, mask]
            relevant, query_mask = _remove_items(relevant, mask, write)
    _check_every_query_has_an_item(relevant_file, relevant, query_mask)
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
        with open(save, "wb") as file:  # np.save would add .npy to the name
            np.save(file, scores)
        write(f"corrected similarities, shape {scores.shape}, written to {save}")


def _make_normalizers(normalizer, settings, save):
    chosen = NORMALIZERS if normalizer == "all" else (normalizer,)
    settings = {name: value for name, value in settings.items() if value is not None}
    smallest_bank = np.eye(2, dtype=np.float32)
    if len(chosen) > 1 and save is not None:
        raise ValueError(
            "--save writes the scores of one normalizer, got --normalizer all; choose "
            "one, such as --normalizer dis, or leave out --save."
        )
    if save is not None and not Path(save).absolute().parent.is_dir():
        raise ValueError(f"--save {save}: the folder does not exist; create it first.")
    if save is not None and Path(save).is_dir():
        raise ValueError(f"--save {save} is a folder; pass the name of a file.")
    normalizers = []
    for name in chosen:
        each = NORMALIZERS[name](metric="precomputed")
        unknown = set(settings) - set(each.get_params())
        if unknown and normalizer != "all":
            option = min(unknown).replace("_", "-")
            raise ValueError(f"the normalizer {name} has no --{option}; leave it out.")
        known = {key: settings[key] for key in settings if key not in unknown}
        with warnings.catch_warnings(action="ignore"):  # about the small bank
            normalizers.append(each.set_params(**known).fit(smallest_bank))
    return normalizers


def _load_pair(bank_file, sims_file, direction, bank_rows, write):
    """Return both matrices with the gallery in columns, and the names in `sims`."""
    bank, _, bank_items = load_matrix(bank_file, return_ids=True)
    sims, *names = load_matrix(sims_file, return_ids=True)
    for path, matrix in ((bank_file, bank), (sims_file, sims)):
        if matrix.ndim != 2 or matrix.size == 0:
            raise ValueError(
                f"{path} must hold a matrix of similarities, got shape {matrix.shape}."
            )
    shape = f"{sims_file} has shape {sims.shape}"
    if direction == "video-to-text":
        shape += ", whose rows are the gallery for --direction video-to-text"
        sims, names = sims.T, names[::-1]
    if bank_items is not None and names[1] is not None:
        _check_same_names(bank_items, names[1], bank_file, sims_file)
    called = {"bank_name": bank_file, "queries_name": shape}
    bank, notes = orient_bank(bank, sims.shape[1], bank_rows, **called)
    for note in notes:
        write(f"bank: {note}")
    return bank, sims, names


def _check_same_names(names, others, path, other_path):
    if list(names) != list(others):
        raise ValueError(
            f"{path} and {other_path} do not name the same items in the same order; "
            "use the command report, which matches them by name."
        )


def _load_mask(path, n_captions):
    mask = load_matrix(path).ravel()
    if mask.size != n_captions or not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"{path} must hold 0 or 1 for each of the {n_captions} captions, got "
            f"{mask.size} values, such as {', '.join(map(str, mask[:3]))}."
        )
    if not mask.any():
        raise ValueError(f"{path} masks every caption; expected at least one 1.")
    return mask.astype(bool)


def _load_relevant(path, shape, names, sims_file):
    relevant, *its_names = load_matrix(path, return_ids=True)
    if all(each is not None for each in its_names):
        for own, others in zip(its_names, names, strict=True):
            _check_same_names(own, [] if others is None else others, path, sims_file)
    n_queries, n_gallery = shape
    relevant = as_indices(relevant, shape)
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


def _assumed_relevant(shape, direction, write):
    """Assume the relevant items by the shape, and write that."""
    n_queries, n_gallery = shape
    if n_queries == n_gallery:
        write("relevant: not given; using the diagonal (item i is relevant to query i)")
        return np.arange(n_queries)
    text_to_video = direction == "text-to-video"
    n_captions, n_videos = shape if text_to_video else shape[::-1]
    size, left_over = divmod(n_captions, n_videos)
    if left_over or not size:
        raise ValueError(
            f"--sims has {shape[0]} rows and {shape[1]} columns, which is not a whole "
            "number of captions per video; pass the relevant item of each query with "
            "--relevant."
        )
    write(
        f"relevant: not given; using groups of {size} consecutive captions for each "
        f"of the {n_videos} videos"
    )
    groups = np.repeat(np.arange(n_videos), size)
    if text_to_video:
        return groups
    return (groups == np.arange(n_videos)[:, None]).astype(np.int8)


def _check_every_query_has_an_item(path, relevant, query_mask):
    if relevant.ndim == 1:
        return
    missing = ~relevant.any(axis=1)
    if query_mask is not None:
        missing &= query_mask
    if missing.any():
        raise ValueError(
            f"{path}: {missing.sum()} queries have no relevant item, the first in row "
            f"{missing.argmax()}. Leave these queries out of --sims and --relevant."
        )


def _remove_items(relevant, mask, write):
    """Remove masked items; return the relevant items and a mask of the queries."""
    if relevant.ndim == 2:
        relevant = relevant[:, mask]
        query_mask = relevant.any(axis=1)
    else:
        query_mask = mask[relevant]
        relevant = (np.cumsum(mask) - 1)[relevant]
    if not query_mask.all():
        n_left_out = (~query_mask).sum()
        write(f"masks: {n_left_out} videos have no caption left and are not measured")
    return relevant, query_mask
