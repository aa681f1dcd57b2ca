"""``python -m benchmarks.planted``: planted hubs and poisoned banks, before and after.

Every data set is attacked without a correction, with every normalizer, and with caps.
Part of the bank belongs to the attacker, the rest to the defender. Planted items are
added to the fitted gallery with `add_gallery`, as a service does, and counted by the
test queries, which neither side has seen. Without a folder, the data sets that ship
with the package are used; with one, all of its ``.npz`` files that hold embeddings.
"""

import argparse
import warnings
from copy import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sk_qbnorm import (
    CSLS,
    CappedNormalizer,
    DynamicInvertedSoftmax,
    InvertedSoftmax,
    MixNormalizer,
    NearestNeighborNormalizer,
    SinkhornNormalizer,
    datasets,
)
from sk_qbnorm.metrics import recall_at_k

from .attacks import KnownBias, planted, starts_of, unit
from .cases import _relevance

OPEN = {
    "raw": None,
    "IS": InvertedSoftmax(),
    "IS, limit 50": InvertedSoftmax(influence_limit=50),
    "DIS": DynamicInvertedSoftmax(),
    "CSLS": CSLS(),
    "NNN": NearestNeighborNormalizer(),
    "Sinkhorn": SinkhornNormalizer(),
    "Careful": SinkhornNormalizer(alpha=0.5),
    "Mix": "mix",  # it needs a sample of each data set
}
CAPPED = {
    f"{name} + caps": CappedNormalizer(OPEN[name])
    for name in ("raw", "IS", "CSLS", "NNN", "Sinkhorn", "Careful", "Mix")
}
NORMALIZERS = OPEN | CAPPED
RATED = [name for name in CAPPED if name != "Mix + caps"]  # with equal banks
ATTACKS = {
    "universal": "one item for all queries",
    "cos .95": "the same, within cosine 0.95 of a real item",
    "cos .8": "the same, within cosine 0.8",
    "adaptive": "universal, by an attacker who knows the bank and the normalizer",
    "10 hubs": "ten items for different queries",
    "100 hubs": "a hundred items for different queries",
    "10 copies": "ten near copies of the universal item",
    "10 %": "one item for a topic with 10 % of the queries, in % of the topic",
    "5 %": "one item for 5 %",
    "2 %": "one item for 2 %",
    "5 % adaptive": "one item for 5 %, by an attacker who knows the bank",
    "5 % unprobed": "one item for 5 %, a topic that the bank does not contain",
    "whitelisted": "universal, after the 1 % of the bank nearest to it was removed",
    "best of 5 %": "no attack: the real item that the topic of 5 % retrieves most",
}
POISONS = ("one copy", "1 % copies")
_N_KNOWN = 200  # queries of the attacker, at most a quarter of the bank
_N_TOPICS = 3
_N_VICTIMS = 15


class Scene(NamedTuple):
    """One data set: unit vectors of both sides."""

    data: str
    known: np.ndarray  # queries of the attacker
    bank: np.ndarray  # of the defender
    gallery: np.ndarray
    queries: np.ndarray
    relevance: dict


def scenes(folder=None):
    """Yield the data sets of the package, or those in the files of a folder."""
    if folder is not None:
        for path in sorted(Path(folder).glob("*.npz")):
            with np.load(path, allow_pickle=False) as arrays:
                data = {name: arrays[name] for name in arrays.files}
            if {"bank_queries", "gallery", "queries"} <= data.keys():
                yield _scene(path.stem, data)
        return
    for name in datasets.__all__:
        if name.startswith(("load_emoji", "load_digits")):
            scene = _scene(name.removeprefix("load_"), getattr(datasets, name)())
            yield scene
            if name == "load_emoji_noto_to_twemoji":
                yield _with_gap(scene)
    hubs = datasets.make_hub_retrieval(noise=1.5, random_state=0)
    yield _scene("synthetic, hubs", hubs)


def _scene(title, data):
    bank = unit(data["bank_queries"])
    order = np.random.default_rng(0).permutation(len(bank))
    n_known = min(_N_KNOWN, len(bank) // 4)
    parts = bank[order[:n_known]], bank[order[n_known:]]
    others = unit(data["gallery"]), unit(data["queries"])
    return Scene(title, *parts, *others, _relevance(data))


def _with_gap(scene, share=0.25):
    """Return a scene with a gap between queries and items, as CLIP-like models have.

    The similarities of queries to items become ``(1 - share) * s - share``, so nothing
    changes for real items. A planted item may lie on the side of the queries.
    """

    def moved(rows, side):
        return np.hstack([np.full((len(rows), 1), side), np.sqrt(1 - share) * rows])

    side = np.sqrt(share)
    queries = {name: getattr(scene, name) for name in ("known", "bank", "queries")}
    queries = {name: moved(rows, side) for name, rows in queries.items()}
    gallery = moved(scene.gallery, -side)
    return scene._replace(data=f"{scene.data}, gap", gallery=gallery, **queries)


class Defense:
    """A normalizer that was fitted to the bank of a scene."""

    def __init__(self, name, scene, bank=None):
        self.name, self.scene = name, scene
        self.bank = scene.bank if bank is None else bank
        normalizer = NORMALIZERS[name]
        if name.startswith("Mix"):  # the attacker's queries are not the sample
            mix = MixNormalizer(self.bank[:100])
            self.bank = self.bank[100:]
            normalizer = mix if normalizer == "mix" else CappedNormalizer(mix)
        self.fitted = None
        if normalizer is not None:
            normalizer = clone(normalizer).set_params(n_jobs=1)
            self.fitted = normalizer.fit(self.bank, scene.gallery)

    def scores(self, queries, items=None):
        """Return the scores of a gallery with these items at its end."""
        gallery, fitted = self.scene.gallery, self.fitted
        if items is not None:
            gallery = np.vstack([gallery, items])
        sims = queries @ gallery.T
        if fitted is None:
            return sims
        if items is not None:
            fitted = copy(fitted).add_gallery(self.bank, items)
        return fitted.transform(sims)

    def best(self, queries):
        """Return the best score of a real item for each query, without shifts."""
        if self.fitted is None:
            return self.scores(queries).max(axis=1)
        correction = self.fitted._correction()
        biases = correction.bias / correction.scale
        return (queries @ self.scene.gallery.T - biases).max(axis=1)

    def captured(self, items, queries=None):
        """Return the share in % of queries whose best item is a planted one."""
        queries = self.scene.queries if queries is None else queries
        scores = self.scores(queries, items)
        n = len(self.scene.gallery)
        return 100 * (scores[:, n:].max(axis=1) >= scores[:, :n].max(axis=1)).mean()


class Topic(NamedTuple):
    """Queries about one thing: of the attacker, of the test, and in the bank."""

    known: np.ndarray
    queries: np.ndarray
    in_bank: np.ndarray


def topics_of(scene, share, random):
    """Return some topics with a share of the queries."""
    found = []
    for _ in range(_N_TOPICS):
        seed = scene.known[random.integers(len(scene.known))]
        nearest = [
            np.argsort(-(rows @ seed), kind="stable")[
                : max(4, round(share * len(rows)))
            ]
            for rows in (scene.known, scene.queries, scene.bank)
        ]
        known, queries, in_bank = nearest
        topic = Topic(scene.known[known], scene.queries[queries], in_bank)
        found.append(topic)
    return found


def oblivious_attacks(scene, random):
    """Return items planted without knowledge of the bank, per attack.

    Each is a list of pairs: the items, and the queries that they aim at.
    """
    known, gallery = scene.known, scene.gallery
    beat = (known @ gallery.T).max(axis=1)
    universal = planted(known, beat, starts_of(known, random))[None]
    everyone = scene.queries
    found = {"universal": [(universal, everyone)]}
    for name, cosine in (("cos .95", 0.95), ("cos .8", 0.8)):
        base = gallery[(gallery @ universal[0]).argmax()]
        item = planted(known, beat, starts_of(known, random), near=(base, cosine))
        found[name] = [(item[None], everyone)]
    for n_hubs in (10, 100):
        items = []
        for _ in range(n_hubs):
            seed = known[random.integers(len(known))]
            some = np.argsort(-(known @ seed))[: max(2, len(known) // n_hubs)]
            items.append(planted_quickly(known[some], beat[some]))
        found[f"{n_hubs} hubs"] = [(np.array(items), everyone)]
    noise = unit(random.normal(size=(10, gallery.shape[1])))
    found["10 copies"] = [(unit(universal + 0.1 * noise), everyone)]
    return found


def planted_quickly(known, beat):
    """Return an item for a few queries, from their mean alone."""
    return planted(known, beat, unit(known.mean(axis=0))[None])


def measure(scene):
    """Return R@1 and the captured share in %, per normalizer and attack."""
    random = np.random.default_rng(1)
    oblivious = oblivious_attacks(scene, random)
    topics = {share: topics_of(scene, share, random) for share in (0.1, 0.05, 0.02)}
    for share, name in ((0.1, "10 %"), (0.05, "5 %"), (0.02, "2 %")):
        oblivious[name] = []
        for topic in topics[share]:
            beat = (topic.known @ scene.gallery.T).max(axis=1)
            starts = starts_of(topic.known, random)
            item = planted(topic.known, beat, starts)[None]
            oblivious[name].append((item, topic.queries))
    universal = oblivious["universal"][0][0]
    nearest = np.argsort(-(scene.bank @ universal[0]))
    thinned = np.delete(scene.bank, nearest[: len(scene.bank) // 100], axis=0)
    found = {}
    for name in NORMALIZERS:
        defense = Defense(name, scene)
        scores = defense.scores(scene.queries)
        recall = recall_at_k(scores=scores, k=1, **scene.relevance)
        row = {"R@1": 100 * recall}
        for attack, pairs in oblivious.items():
            row[attack] = np.mean([defense.captured(*pair) for pair in pairs])
        row["adaptive"] = _adaptive(defense, scene.known, random, universal)
        aimed = zip(topics[0.05], oblivious["5 %"], strict=True)
        row["5 % adaptive"] = np.mean(
            [
                _adaptive(defense, topic.known, random, item, topic.queries)
                for topic, (item, _) in aimed
            ]
        )
        unprobed = []
        for (item, queries), topic in zip(oblivious["5 %"], topics[0.05], strict=True):
            rest = np.delete(scene.bank, topic.in_bank, axis=0)
            unprobed.append(Defense(name, scene, rest).captured(item, queries))
        row["5 % unprobed"] = np.mean(unprobed)
        row["whitelisted"] = Defense(name, scene, thinned).captured(universal)
        row["best of 5 %"] = np.mean(
            [
                100
                * np.bincount(defense.scores(each.queries).argmax(axis=1)).max()
                / len(each.queries)
                for each in topics[0.05]
            ]
        )
        found[name] = row
    return found


def _adaptive(defense, known, random, oblivious, queries=None):
    """Return the captured share of the best item against a known normalizer.

    The attacker starts from the item that was made without this knowledge, among
    others, and keeps it if it is better.
    """
    bias = None
    if defense.fitted is not None:
        bias = KnownBias(defense.fitted, defense.bank)
    starts = np.vstack([oblivious, starts_of(known, random)])
    item = planted(known, defense.best(known), starts, bias)
    both = item[None], oblivious
    return max(defense.captured(each, queries) for each in both)


def poisoned(scene):
    """Return R@1 in % of the queries for single items, by copies in the bank.

    A list per normalizer: without copies, with one, and with 1 % of the bank.
    """
    random = np.random.default_rng(2)
    raw = scene.queries @ scene.gallery.T
    asks = _asks_for(scene, raw.shape)
    victims = np.flatnonzero(asks.any(axis=0))
    victims = random.choice(victims, min(_N_VICTIMS, victims.size), replace=False)
    n_copies = len(scene.bank) // 100
    found = {}
    for name in NORMALIZERS:
        hits = np.zeros((3, 2))
        plain = Defense(name, scene).scores(scene.queries)
        for victim in victims:
            rows = asks[:, victim]
            for place, n in enumerate((0, 1, n_copies)):
                scores = plain[rows]
                if n:
                    copies = np.repeat(scene.gallery[[victim]], n, axis=0)
                    bank = np.vstack([scene.bank, copies])
                    scores = Defense(name, scene, bank).scores(scene.queries[rows])
                won = scores.argmax(axis=1) == victim
                hits[place] += won.sum(), rows.sum()
        found[name] = 100 * hits[:, 0] / hits[:, 1]
    return found


def _asks_for(scene, shape):
    """Return which queries ask for which item, as a mask."""
    if sparse.issparse(scene.relevance["relevant"]):
        return scene.relevance["relevant"].toarray() != 0
    asks = np.zeros(shape, dtype=bool)
    labels = scene.relevance.get("gallery_labels")
    for row, items in enumerate(scene.relevance["relevant"]):
        asks[row, items if labels is None else labels == items] = True
    return asks


def fresh_rates(scene, n_draws=10):
    """Return the rate of fresh queries that an item takes, and its bound, in %.

    The attacker knows the normalizer but not the bank, and builds the item against the
    normalizer fitted to their own queries. Banks are random halves of the bank of the
    defender; the other halves are fresh queries.
    """
    random = np.random.default_rng(3)
    known, pool = scene.known, scene.bank
    items = {}
    for name in RATED:
        own = Defense(name, scene, known)
        starts = starts_of(known, random)
        bias = KnownBias(own.fitted, own.bank)
        items[name] = planted(known, own.best(known), starts, bias)[None]
    found = {name: [] for name in RATED}
    n_bank = len(pool) // 2
    for _ in range(n_draws):
        order = random.permutation(len(pool))
        bank, fresh = pool[order[:n_bank]], pool[order[n_bank:]]
        for name, item in items.items():
            found[name].append(Defense(name, scene, bank).captured(item, fresh))
    bound = 100 * (int(0.01 * n_bank + 1e-9) + 1) / (n_bank + 1)
    return {name: np.mean(rates) for name, rates in found.items()}, bound


def without_bias(scene, n_items=30):
    """Return the share that ordinary items take if they are added without a bias.

    Each of some real items is added once more with the bias 0, alone.
    """
    random = np.random.default_rng(4)
    items = random.choice(len(scene.gallery), n_items, replace=False)
    found = {}
    for name in NORMALIZERS:
        if name == "DIS":
            continue  # `best` knows no gate
        defense = Defense(name, scene)
        best = defense.best(scene.queries)[:, None]
        sims = scene.queries @ scene.gallery[items].T
        if name == "raw":
            best = best + 1e-12  # the copy does not win its ties
        found[name] = 100 * (sims >= best).mean()
    return found


def tables(all_scenes, n_draws=10):
    """Return the lines of all tables."""
    rows, poisons, rates, biases, bounds = {}, {}, {}, {}, {}
    for scene in all_scenes:
        rows[scene.data] = measure(scene)
        poisons[scene.data] = poisoned(scene)
        rates[scene.data], bounds[scene.data] = fresh_rates(scene, n_draws)
        biases[scene.data] = without_bias(scene)
        print(f"{scene.data}: {rows[scene.data]['raw']['universal']:.1f}", flush=True)
    return {
        "attacks": _mean_table(rows, ["R@1", *ATTACKS]),
        "universal": _by_data(rows, "universal"),
        "R@1": _by_data(rows, "R@1"),
        "poisons": _poison_table(poisons),
        "rates": _rate_table(rates, bounds),
        "biases": _bias_table(biases),
    }


def _heading(*names):
    return [f"| {' | '.join(['', *names]).strip()} |", "|---" * (1 + len(names)) + "|"]


def _mean_table(rows, columns):
    lines = _heading(*columns)
    for name in NORMALIZERS:
        cells = []
        for column in columns:
            values = [of_data[name][column] for of_data in rows.values()]
            cells.append(f"{np.mean(values):.1f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _by_data(rows, column):
    lines = _heading(*NORMALIZERS)
    for data, of_data in rows.items():
        cells = [f"{of_data[name][column]:.1f}" for name in NORMALIZERS]
        lines.append(f"| {data} | {' | '.join(cells)} |")
    return lines


def _poison_table(poisons):
    lines = _heading("no copy", *POISONS)
    for name in NORMALIZERS:
        means = np.mean([of_data[name] for of_data in poisons.values()], axis=0)
        lines.append(f"| {name} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
    return lines


def _rate_table(rates, bounds):
    lines = _heading(*RATED, "bound")
    for data, of_data in rates.items():
        cells = [f"{of_data[name]:.2f}" for name in RATED]
        lines.append(f"| {data} | {' | '.join(cells)} | {bounds[data]:.2f} |")
    return lines


def _bias_table(biases):
    lines = _heading("taken by one ordinary item")
    for name in next(iter(biases.values())):
        mean = np.mean([of_data[name] for of_data in biases.values()])
        lines.append(f"| {name} | {mean:.1f} |")
    return lines


def text_of(found):
    """Return the page with all tables."""
    legend = [f"- {name}: {text}." for name, text in ATTACKS.items()]
    return "\n".join(
        [
            "R@1 without an attack, and the share of the test queries whose best item "
            "is a planted one, in %, mean over the data sets:",
            "",
            *found["attacks"],
            "",
            *legend,
            "",
            "Adaptive attacks follow the gradient of the bias. For DIS it is that of "
            "IS, and for Mix that of the Sinkhorn biases alone. Mix takes the first "
            "100 bank queries as its sample.",
            "",
            "The universal item per data set:",
            "",
            *found["universal"],
            "",
            "R@1 without an attack per data set:",
            "",
            *found["R@1"],
            "",
            "Poisoned banks: R@1 in % of the queries for an item, with copies of this "
            "item in the bank:",
            "",
            *found["poisons"],
            "",
            "Share of fresh queries whose best item is a planted one, in %, mean over "
            "draws of the bank, and its bound (r + 1) / (n + 1). The attacker knows "
            "the normalizer and not the bank:",
            "",
            *found["rates"],
            "",
            "Share of the test queries, in %, whose best item is an ordinary item that "
            "was added to an index without its bias:",
            "",
            *found["biases"],
        ]
    )


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", help="of .npz files")
    parser.add_argument("--markdown", type=Path, help="file to write")
    parser.add_argument("--draws", type=int, default=10, help="(%(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "The cap of")  # small banks
    text = text_of(tables(scenes(options.folder), options.draws))
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
