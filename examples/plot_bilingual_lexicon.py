"""
A bilingual lexicon from embeddings
===================================

Find pairs of words that translate each other, given embeddings of both languages and
no dictionary. The same steps mine parallel sentences (bitext). Hubs do harm twice here:
a hub is the nearest English name of many Japanese ones, and its own nearest Japanese
name is right at most once. Three remedies combine: CSLS in both directions, margin
scores, and mutual nearest neighbors.

The data are 300 emoji with a Japanese and an English name each. The banks contain names
of other emoji: 700 Japanese and 300 English ones.
"""

import matplotlib.pyplot as plt
import numpy as np

from sk_qbnorm import CSLS, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_names_ja_en
from sk_qbnorm.neighbors import margin_scores, mutual_nearest_neighbors

data = load_emoji_names_ja_en()
english, bank_english = data.gallery[:300], data.gallery[300:]
in_lexicon = data.relevant < 300
japanese, bank_japanese = data.queries[in_lexicon], data.bank_queries
relevant = data.relevant[in_lexicon]  # the English name of each Japanese one

sims = pairwise_similarity(japanese, english)
bank_sims = pairwise_similarity(bank_japanese, english)
bank_sims_back = pairwise_similarity(bank_english, japanese)

# %%
# CSLS corrects one direction at a time: the querybank of Japanese to English is
# Japanese, that of English to Japanese is English. The ratio margin of Artetxe and
# Schwenk (2019) divides by the mean of both neighborhoods; their distance margin is
# half of CSLS, so it gives the same pairs.
#
# Published protocols use *the corpus as its own bank*: MUSE takes the neighbors of an
# English word among all Japanese words of the lexicon, including those that it then
# evaluates. This is transductive: the score of a word depends on the other words. It is
# valid if you translate one fixed list of words, as here. It does not apply to queries
# that arrive one by one, and its recall is not comparable with that of a held-out bank.
# Both are below; always report which one you used.

METHODS = {
    "cosine": (sims, sims.T),
    "CSLS": (
        CSLS(n_neighbors=10).fit(bank_sims).transform(sims),
        CSLS(n_neighbors=10).fit(bank_sims_back).transform(sims.T),
    ),
    "ratio margin": (
        margin_scores(sims, bank_sims, n_neighbors=10),
        margin_scores(sims.T, bank_sims_back, n_neighbors=10),
    ),
    "CSLS, own bank": (
        CSLS(n_neighbors=10).fit(sims).transform(sims),
        CSLS(n_neighbors=10).fit(sims.T).transform(sims.T),
    ),
    "ratio margin, own bank": (
        margin_scores(sims, n_neighbors=10),
        margin_scores(sims.T, n_neighbors=10),
    ),
}

# %%
# `~sk_qbnorm.neighbors.mutual_nearest_neighbors` keeps the pairs on which both
# directions agree. Most pairs that it drops are wrong, so that precision is far above
# R@1 of either direction. The correction adds pairs that hubs had hidden.

right_item = np.argsort(relevant)  # the Japanese name of each English one
pairs = {}
print(f"{'':24}{'R@1 ja-en':>10}{'R@1 en-ja':>10}{'pairs':>7}{'right':>7}")
for name, (scores, back) in METHODS.items():
    queries, items = mutual_nearest_neighbors(scores, back)
    right = relevant[queries] == items
    strength = scores[queries, items] + back[items, queries]
    pairs[name] = right[np.argsort(-strength)]  # best first
    forward = np.mean(scores.argmax(axis=1) == relevant)
    backward = np.mean(back.argmax(axis=1) == right_item)
    print(f"{name:24}{forward:10.1%}{backward:10.1%}{len(right):7}{right.sum():7}")

# %%
# A lexicon needs a threshold as well. Sort the pairs by score and keep the best: among
# the first pairs the cosine is wrong more often, since a high cosine may only say that
# a word is close to everything. A margin above 1 (ratio) or 0 (distance) means that two
# words are closer to each other than to their neighborhoods.

figure, (bars, curve) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
STYLES = {
    "cosine": ("#d55e00", "-"),
    "CSLS": ("#0072b2", "-"),
    "ratio margin": ("#009e73", "--"),
}
for shift, (name, (color, line)) in zip((-0.27, 0, 0.27), STYLES.items(), strict=True):
    scores, back = METHODS[name]
    recalls = [
        100 * np.mean(scores.argmax(axis=1) == relevant),
        100 * np.mean(back.argmax(axis=1) == right_item),
    ]
    bars.bar(np.arange(2) + shift, recalls, 0.25, color=color, label=name)
    n_pairs = np.arange(1, len(pairs[name]) + 1)
    precision = 100 * np.cumsum(pairs[name]) / n_pairs
    curve.plot(n_pairs[19:], precision[19:], line, color=color, label=name)
bars.set_xticks(range(2), ["Japanese to English", "English to Japanese"])
bars.tick_params(axis="x", length=0)
bars.set_title("R@1, %", loc="left")
curve.set_xlabel("mutual nearest neighbors, best first")
curve.set_title("Right pairs, %", loc="left")
curve.legend(frameon=False)
for axes in (bars, curve):
    axes.spines[["top", "right"]].set_visible(False)
