"""
Text to image and back, with several captions
=============================================

The gallery holds 600 emoji pictures, each with two captions: its name and a list of
keywords. A ridge regression maps texts to pictures, or pictures to texts, and creates
hubs. :ref:`Shigeto et al. 2015 <shigeto-2015>` show that it matters which side is
mapped: mapping the queries into the space of the gallery creates more hubs than mapping
the gallery into the space of the queries. In both directions, a correction increases
R@10 if the queries are mapped, and gains nothing if the gallery is mapped.

:doc:`/guide/directions` explains both directions and several relevant items per query.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from sk_qbnorm import DynamicInvertedSoftmax, pairwise_similarity
from sk_qbnorm.datasets import load_emoji_name_to_keywords, load_emoji_noto_to_twemoji
from sk_qbnorm.metrics import bootstrap_report, hubness_report, paired_bootstrap_report

# %%
# Two data sets of the package contain the same emoji in the same order, one as text and
# the other as pictures.

words, pictures = load_emoji_name_to_keywords(), load_emoji_noto_to_twemoji()
assert (words.query_text == pictures.query_text).all()
images = normalize(pictures.queries)
captions = normalize(np.vstack([words.queries, words.gallery]))  # names, then keywords

# %%
# Captions i and i + 600 describe picture i. From text to image, each caption has one
# relevant item: an array of indices. From image to text, each picture has two: a list
# of lists. Recall counts a picture as found if either caption is retrieved.

numbers = np.arange(len(images))
of_captions = np.r_[numbers, numbers]
of_images = [[number, number + len(images)] for number in numbers]

# %%
# Each direction has its own bank: captions for text to image, pictures for image to
# text. The ridge regressions are fitted to the same 700 pairs, as a model and its bank
# often share a training set. None of them is in the gallery or among the queries.

bank_captions, bank_images = (
    normalize(each.bank_queries) for each in (words, pictures)
)
to_image = Ridge(alpha=1).fit(bank_captions, bank_images).predict
to_text = Ridge(alpha=1).fit(bank_images, bank_captions).predict
CASES = [  # what is mapped, then queries, bank and gallery
    ("queries", (to_image(captions), to_image(bank_captions), images)),
    ("queries", (to_text(images), to_text(bank_images), captions)),
    ("gallery", (captions, bank_captions, to_text(images))),
    ("gallery", (images, bank_images, to_image(captions))),
]
DIRECTIONS = 2 * [
    ("text to image", of_captions, of_captions),
    ("image to text", of_images, None),
]
results = {}
for (mapped, parts), (direction, relevant, groups) in zip(
    CASES, DIRECTIONS, strict=True
):
    queries, bank, gallery = parts
    raw = pairwise_similarity(queries, gallery)
    normalizer = DynamicInvertedSoftmax().fit(bank, gallery)
    scores = {"raw": raw, "corrected": normalizer.transform(raw)}
    skewness = hubness_report(*scores.values())["hubness_skewness"]
    draws = {"groups": groups, "random_state": 0}
    recalls = {
        name: bootstrap_report(relevant, each, **draws) for name, each in scores.items()
    }
    gains = paired_bootstrap_report(relevant, *scores.values(), **draws)
    results[f"{direction},\n{mapped} mapped"] = recalls, skewness, gains
    print(f"{direction}, {mapped} mapped: skewness", end=" ")
    print(f"{skewness['before']:.2f}, by chance {skewness['no_hubs']:.2f}")
    for k in (1, 10):
        values = [100 * recalls[name][f"recall@{k}"]["value"] for name in scores]
        gain, low, high = (100 * value for value in gains[f"recall@{k}"].values())
        print("  R@{}: {:.1f}% raw, {:.1f}% corrected,".format(k, *values), end=" ")
        print(f"{gain:+.1f} points with interval {low:+.1f} to {high:+.1f}")

# %%
# The two captions of a picture are not independent. ``groups`` makes the intervals
# resample pictures together with all their captions.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.8), sharey=True, width_ratios=(3, 2), layout="constrained"
)
styles = {"raw": ("#d55e00", "o", -0.14), "corrected": ("#0072b2", "D", 0.14)}
for row, (recalls, skewness, _) in enumerate(results.values()):
    for value, (name, (color, marker, shift)) in zip(
        skewness.values(), styles.items(), strict=False
    ):
        middle, low, high = (100 * each for each in recalls[name]["recall@10"].values())
        label = None if row else name
        left.plot([low, high], 2 * [row + shift], color=color, linewidth=2)
        left.plot(middle, row + shift, marker, color=color, label=label, markersize=8)
        right.barh(row + shift, value, 0.26, color=color)
    right.plot(2 * [skewness["no_hubs"]], [row - 0.3, row + 0.3], color="k")
left.set_yticks(range(len(results)), results)
left.invert_yaxis()
left.set_title("Recall in the top 10", loc="left")
right.set_title("Hubness", loc="left")
left.set_xlabel("R@10, %, with 95% intervals")
right.set_xlabel("hubness skewness; black line: by chance")
for axes in (left, right):
    axes.axhline(1.5, color="0.85", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
figure.legend(loc="outside lower left", ncols=2, frameon=False)
