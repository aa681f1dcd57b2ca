"""The formulas as plain loops in float64: slow but obvious, to test against."""

import math

import numpy as np


def log_mean_exp(column, beta):
    """``log(mean_i exp(beta * p_i)) / beta``, relative to the largest term."""
    peak = max(column)
    total = math.fsum(math.exp(beta * (p - peak)) for p in column)
    return peak + math.log(total / len(column)) / beta


def top_mean(values, k):
    """Mean of the k largest values, or of all if there are fewer."""
    largest = sorted(values, reverse=True)[:k]
    return math.fsum(largest) / len(largest)


def augmented(items, biases, length):
    """Items with the centered bias, and what gives all of them one length."""
    low, high = min(biases), max(biases)
    middle, half = (low + high) / 2, (high - low) / 2
    factor = 1 / math.sqrt(half)
    vectors = [
        [*item, -factor * (b - middle)] for item, b in zip(items, biases, strict=True)
    ]
    return [
        [*vector, math.sqrt(length**2 - math.fsum(x * x for x in vector))]
        for vector in vectors
    ]


def solved(matrix, right):
    """The solution of a system of equations by Gaussian elimination."""
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    solution = [0.0] * n
    for i in reversed(range(n)):
        known = math.fsum(rows[i][k] * solution[k] for k in range(i + 1, n))
        solution[i] = (rows[i][n] - known) / rows[i][i]
    return solution


def ridge(items, biases, strength):
    """Coefficients and intercept of the least squares plus ``strength * |w|^2``."""
    n, width = len(items), len(items[0])
    centers = [math.fsum(item[k] for item in items) / n for k in range(width)]
    mean = math.fsum(biases) / n
    rows = [[x - c for x, c in zip(item, centers, strict=True)] for item in items]
    scatter = [
        [
            math.fsum(row[k] * row[m] for row in rows) + (strength if k == m else 0)
            for m in range(width)
        ]
        for k in range(width)
    ]
    moments = [
        math.fsum(row[k] * (b - mean) for row, b in zip(rows, biases, strict=True))
        for k in range(width)
    ]
    w = solved(scatter, moments)
    return w, mean - math.fsum(x * c for x, c in zip(w, centers, strict=True))


def query_shift(items, biases):
    """The shift w of the ridge with the least leave-one-out error, and the rests."""
    n, width = len(items), len(items[0])
    variance = 0.0
    for k in range(width):
        center = math.fsum(item[k] for item in items) / n
        variance += math.fsum((item[k] - center) ** 2 for item in items) / n / width

    def error(strength):
        errors = []
        for i in range(n):
            others = items[:i] + items[i + 1 :], biases[:i] + biases[i + 1 :]
            w, intercept = ridge(*others, strength)
            predicted = intercept + math.fsum(
                x * y for x, y in zip(w, items[i], strict=True)
            )
            errors.append((biases[i] - predicted) ** 2)
        return math.fsum(errors)

    strengths = [10.0**power * variance * n for power in range(-4, 3)]
    w, _ = ridge(items, biases, min(strengths, key=error))
    products = [
        math.fsum(x * y for x, y in zip(w, item, strict=True)) for item in items
    ]
    return w, [b - product for b, product in zip(biases, products, strict=True)]


def best(row):
    """Index of the largest entry; the smaller index among equals."""
    return min(range(len(row)), key=lambda j: (-row[j], j))


def order(row):
    """Indices by larger score first, then by smaller index."""
    return sorted(range(len(row)), key=lambda j: (-row[j], j))


def activation_counts(bank, n_activation=1):
    counts = [0] * len(bank[0])
    for row in bank:
        for j in order(row)[:n_activation]:
            counts[j] += 1
    return counts


def inverted_softmax(bank, sims, beta=20.0, alpha=1.0):
    bias = [log_mean_exp(column, beta) for column in zip(*bank, strict=True)]
    return [[s - alpha * b for s, b in zip(row, bias, strict=True)] for row in sims]


def inverted_softmax_probability(bank, sims, beta=20.0, alpha=1.0):
    sums = [
        math.fsum(math.exp(beta * p) for p in column)
        for column in zip(*bank, strict=True)
    ]
    return [
        [math.exp(beta * s) / total**alpha for s, total in zip(row, sums, strict=True)]
        for row in sims
    ]


def dynamic(bank, sims, corrected, n_activation=1, min_count=1):
    """The corrected row if the best item of the query is active, else the raw row."""
    counts = activation_counts(bank, n_activation)
    return [
        new if counts[best(row)] >= min_count else row
        for row, new in zip(sims, corrected, strict=True)
    ]


def dual_inverted_softmax(banks, sims, betas, alpha=1.0, gate=None):
    """The logarithm of a product of ratios, one per bank, divided by the sum of betas.

    If the bank of a ratio does not activate the best item of the row, the gate is
    closed and only the numerator remains. ``gate`` is (n_activation, min_count), or
    None for no gate.
    """
    scores = []
    for row in sims:
        exponents = [0.0] * len(row)
        for bank, beta in zip(banks, betas, strict=True):
            is_open = gate is None or (
                activation_counts(bank, gate[0])[best(row)] >= gate[1]
            )
            for j, column in enumerate(zip(*bank, strict=True)):
                exponents[j] += beta * row[j]
                if is_open:
                    exponents[j] -= alpha * beta * log_mean_exp(column, beta)
        scores.append([exponent / sum(betas) for exponent in exponents])
    return scores


def sinkhorn_bias(bank, beta=50.0, n_iter=10):
    """The bias of each item, from the logarithms of the potentials in the paper.

    A constant is added so that the first half step equals inverted softmax.
    """
    n_bank, n_gallery = len(bank), len(bank[0])

    def log_sum_exp(terms):
        peak = max(terms)
        return peak + math.log(math.fsum(math.exp(term - peak) for term in terms))

    def half_step(lines, size, potentials):
        return [
            -math.log(size)
            - log_sum_exp([beta * p + x for p, x in zip(line, potentials, strict=True)])
            for line in lines
        ]

    columns = list(zip(*bank, strict=True))
    log_u = half_step(columns, n_gallery, [0.0] * n_bank)
    for _ in range(n_iter - 1):
        log_v = half_step(bank, n_bank, log_u)
        log_u = half_step(columns, n_gallery, log_v)
    return [-(u + math.log(n_bank * n_gallery)) / beta for u in log_u]


def shrunken(bias, weights, beta):
    """Empirical Bayes: the bias of each item, drawn to the mean by its own noise.

    `weights` are those of the bank queries in the average of each item, mean 1.
    """
    n_bank, n_gallery = len(weights), len(bias)
    noise = []
    for column in zip(*weights, strict=True):
        second = math.fsum(w * w for w in column) / n_bank
        noise.append(max(0, second - 1) / ((n_bank - 1) * beta**2))
    center = math.fsum(bias) / n_gallery
    spread = math.fsum((b - center) ** 2 for b in bias) / n_gallery
    signal = max(0, spread - math.fsum(noise) / n_gallery)
    return [
        center + (signal / (signal + v) * (b - center) if signal else 0)
        for b, v in zip(bias, noise, strict=True)
    ]


def shrunken_sinkhorn_bias(bank, beta, n_iter):
    bias = sinkhorn_bias(bank, beta, n_iter)
    weights = []
    for row in bank:
        of_query = 0.0  # the logarithm of the query's own weight
        if n_iter > 1:  # from the step before the last
            before = sinkhorn_bias(bank, beta, n_iter - 1)
            powers = [beta * (p - b) for p, b in zip(row, before, strict=True)]
            peak = max(powers)
            total = math.fsum(math.exp(power - peak) for power in powers)
            of_query = peak + math.log(total / len(row))
        powers = [beta * (p - b) for p, b in zip(row, bias, strict=True)]
        weights.append([math.exp(power - of_query) for power in powers])
    return shrunken(bias, weights, beta)


def list_sinkhorn_bias(lists, n_gallery):
    """The bias of each item; `lists` holds a dict of item to similarity per query."""
    excess = [
        {item: s - min(row.values()) for item, s in row.items()} for row in lists if row
    ]
    n_listed = sum(map(len, excess))
    tau = math.fsum(z for row in excess for z in row.values())
    tau /= max(1, n_listed - len(excess))
    if tau == 0:
        return [0.0] * n_gallery
    counts = [sum(item in row for row in excess) for item in range(n_gallery)]
    mean = sum(counts) / n_gallery
    variance = sum((count - mean) ** 2 for count in counts) / n_gallery
    pseudo = mean / max(variance - mean, 1e-9)
    potentials = [0.0] * n_gallery
    for _ in range(3):
        loads = [0.0] * n_gallery
        for row in excess:
            weights = {item: math.exp(min(z / tau, 50)) for item, z in row.items()}
            total = math.fsum(w * math.exp(-potentials[j]) for j, w in weights.items())
            for item, weight in weights.items():
                loads[item] += weight / total
        usual = math.fsum(loads) / n_gallery
        potentials = [
            math.log((load + pseudo * usual) / (usual + pseudo * usual))
            for load in loads
        ]
    return [tau * potential for potential in potentials]


def centered(values):
    mean = math.fsum(values) / len(values)
    return [value - mean for value in values]


def mixed_bias(agreement, of_bank, of_sample, n_sample):
    share = agreement**2
    rest = (1 - share) * (1 if n_sample >= 100 else 2 / 3)
    pairs = zip(centered(of_bank), centered(of_sample), strict=True)
    return [share * b + rest * u for b, u in pairs]


def csls(bank, sims, k=10):
    bias = [top_mean(column, k) for column in zip(*bank, strict=True)]
    return [
        [2 * s - top_mean(row, k) - r for s, r in zip(row, bias, strict=True)]
        for row in sims
    ]


def margin(bank, sims, k, kind):
    """``s / b`` or ``s - b``, where b is the mean of both neighborhoods."""
    of_items = [top_mean(column, k) for column in zip(*bank, strict=True)]
    scores = []
    for row in sims:
        means = [(top_mean(row, k) + r) / 2 for r in of_items]
        pairs = zip(row, means, strict=True)
        scores.append([s / b if kind == "ratio" else s - b for s, b in pairs])
    return scores


def mutual_pairs(scores, reverse):
    """Pairs (query, item) that are each other's best."""
    return [
        (q, best(row)) for q, row in enumerate(scores) if best(reverse[best(row)]) == q
    ]


def nearest_neighbor(bank, sims, k=16, alpha=0.75):
    bias = [top_mean(column, k) for column in zip(*bank, strict=True)]
    return [[s - alpha * r for s, r in zip(row, bias, strict=True)] for row in sims]


def bank_ranks(bank, sims):
    columns = list(zip(*bank, strict=True))
    return [
        [sum(p > s for p in column) for s, column in zip(row, columns, strict=True)]
        for row in sims
    ]


def globally_corrected(bank, sims):
    """Minus the number of items with smaller rank, or equal rank and larger score."""
    scores = []
    for row, ranks in zip(sims, bank_ranks(bank, sims), strict=True):
        keys = [(rank, -s) for rank, s in zip(ranks, row, strict=True)]
        scores.append([-sum(other < key for other in keys) for key in keys])
    return scores


def authors_qb_norm(bank, sims, k=1, beta=20.0):
    """The authors' algorithm (github.com/ioanacroi/qb-norm) from its description.

    It takes exponentials of both matrices and finds the items in the top k of a bank
    row. Rows whose best item is one of these are divided by the column sums of the
    bank's exponentials; other rows stay unchanged.
    """
    bank, sims = np.array(bank, dtype=np.float64), np.array(sims, dtype=np.float64)
    retrieved = {j for row in bank for j in order(row)[:k]}
    sums = np.exp(beta * bank).sum(axis=0)
    result = sims.copy()
    for i, row in enumerate(sims):
        if best(row) in retrieved:
            result[i] = np.exp(beta * row) / sums
    return result, retrieved


def rank(row, relevant, ties):
    """Expected, worst or best rank of the first relevant item of a row."""
    value = max(row[j] for j in relevant)
    above = sum(s > value for s in row)
    tied = [j for j, s in enumerate(row) if s == value]
    hits = [j for j in tied if j in relevant]
    others = len(tied) - len(hits)
    before = {
        "optimistic": 0,
        "pessimistic": others,
        # each of the others precedes all hits with probability 1 / (len(hits) + 1)
        "average": others / (len(hits) + 1),
    }
    return 1 + above + before[ties]


def average_precision(ranked_relevance):
    """Average precision of one row of booleans, in the order of the ranking."""
    hits, total = 0, 0.0
    for place, hit in enumerate(ranked_relevance, start=1):
        if hit:
            hits += 1
            total += hits / place
    return total / hits


def occurrence(lists, n_gallery):
    """Count the lists that contain each item."""
    return [sum(j in row for row in lists) for j in range(n_gallery)]


def skewness(counts):
    mean = math.fsum(counts) / len(counts)
    second = math.fsum((c - mean) ** 2 for c in counts) / len(counts)
    third = math.fsum((c - mean) ** 3 for c in counts) / len(counts)
    return third / second**1.5 if second else 0.0


def robin_hood(counts):
    """Share of the total that lies above the mean."""
    mean = math.fsum(counts) / len(counts)
    return math.fsum(c - mean for c in counts if c > mean) / sum(counts)


def gini(counts):
    differences = sum(abs(c - d) for c in counts for d in counts)
    return differences / (2 * len(counts) * sum(counts))


def antihub_rate(counts):
    return sum(c == 0 for c in counts) / len(counts)


def hub_rate(counts):
    n_top = max(1, math.ceil(len(counts) / 100))
    return sum(sorted(counts, reverse=True)[:n_top]) / sum(counts)


def hub_agreement(bank_counts, sample_counts, k):
    """Shared variance over that of bank and sample, without sampling variance."""
    n_gallery, mu = len(bank_counts), k / len(bank_counts)
    n, m = sum(bank_counts) / k, sum(sample_counts) / k
    pairs = list(zip(bank_counts, sample_counts, strict=True))
    together = math.fsum(b / n * s / m for b, s in pairs) / n_gallery - mu**2
    of_bank = math.fsum((b / n) ** 2 for b, _ in pairs) / n_gallery - mu**2
    squares = math.fsum(s * (s - 1) / (m * (m - 1)) for _, s in pairs) / n_gallery
    of_sample = squares - mu**2
    if min(together, of_bank, of_sample) <= 1e-12:
        return 0.0
    return math.sqrt(min(1, together / of_bank) * min(1, together / of_sample))


def querybank_measures(bank, sims, k, beta):
    """The measures of `querybank_report`, except those from the bootstrap."""
    n_gallery, lists, asked = len(bank[0]), [], []
    for rows, found in ((bank, lists), (sims, asked)):
        found += [order(row)[:k] for row in rows]
    firsts = [row[0] for row in lists]
    bias = [log_mean_exp(column, beta) for column in zip(*bank, strict=True)]
    center = math.fsum(bias) / n_gallery
    last, last_asked = (
        [row[found[k - 1]] for row, found in zip(*each, strict=True)]
        for each in ((bank, lists), (sims, asked))
    )
    mean = math.fsum(last_asked) / len(sims)
    spread = math.sqrt(math.fsum((s - mean) ** 2 for s in last_asked) / len(sims))
    gap = math.fsum(last) / len(bank) - mean
    counts = [occurrence(found, n_gallery) for found in (lists, asked)]
    return {
        "coverage": sum(c > 0 for c in counts[0]) / n_gallery,
        "coverage_limit": min(1, len(bank) * k / n_gallery),
        "activation_rate": len(set(firsts)) / n_gallery,
        "activated_expected": sum(firsts.count(j) > 1 for j in firsts) / len(firsts),
        "hub_variation": chance_variation(counts[0], len(bank), k),
        "bias_spread": math.sqrt(
            math.fsum((b - center) ** 2 for b in bias) / n_gallery
        ),
        "activated_queries": sum(row[0] in firsts for row in asked) / len(asked),
        "hub_variation_queries": chance_variation(counts[1], len(sims), k),
        "hub_agreement": hub_agreement(*counts, k),
        "similarity_gap": gap / spread if spread else 0.0,
    }


def chance_variation(counts, n_queries, k):
    """Coefficient of variation of the retrieval probabilities, without chance."""
    mu = k / len(counts)
    pairs = n_queries * (n_queries - 1)
    squares = math.fsum(c * (c - 1) / pairs for c in counts) / len(counts)
    return math.sqrt(max(squares - mu**2, 0.0)) / mu


def bootstrap_error(bank, beta, draws):
    """Standard error of the bias over drawn banks, without common shifts."""
    n_gallery = len(bank[0])
    biases = []
    for rows in draws:
        columns = zip(*[bank[i] for i in rows], strict=True)
        bias = [log_mean_exp(column, beta) for column in columns]
        center = math.fsum(bias) / n_gallery
        biases.append([b - center for b in bias])
    variances = []
    for values in zip(*biases, strict=True):
        center = math.fsum(values) / len(values)
        squares = math.fsum((v - center) ** 2 for v in values)
        variances.append(squares / (len(values) - 1))
    return math.sqrt(math.fsum(variances) / n_gallery)


def measures(ranks, precisions):
    """All retrieval measures, from the rank and the precision of each query."""
    n_queries, ordered = len(ranks), sorted(ranks)
    recalls = [sum(r <= k for r in ranks) / n_queries for k in (1, 5, 10)]
    middle = ordered[(n_queries - 1) // 2], ordered[n_queries // 2]
    return [
        *recalls,
        math.prod(recalls) ** (1 / 3),
        sum(middle) / 2,
        math.fsum(ranks) / n_queries,
        math.fsum(1 / r for r in ranks) / n_queries,
        math.fsum(precisions) / n_queries,
    ]


def percentile(values, share):
    """Interpolate the percentile between two sorted values."""
    values = sorted(values)
    place = share * (len(values) - 1)
    left = min(math.floor(place), len(values) - 2)
    return values[left] + (place - left) * (values[left + 1] - values[left])


def limited_log_mean_exp(column, beta, limit):
    """The largest b with ``mean_i min(exp(beta * (p_i - b)), limit) = 1``."""

    def excess(b):
        logs = [beta * (p - b) for p in column]
        weights = [limit if log > math.log(limit) else math.exp(log) for log in logs]
        return math.fsum(weights) - len(column)

    def is_low(b):
        return excess(b) >= -1e-12 * len(column)

    high = log_mean_exp(column, beta)
    low = high - 1
    while not is_low(low):
        low = high - 2 * (high - low)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if is_low(middle) else (low, middle)
    return high


def thresholds_to_beat(bank, bias, among, j, k):
    """The k-th best score of each bank query over some items without item j."""
    others = [item for item in among if item != j]
    scores = [[row[item] - bias[item] for item in others] for row in bank]
    return [sorted(row, reverse=True)[k - 1] for row in scores]


def capped_bias(bank, bias, caps, n_rounds=5, margin=1e-12):
    """The bias with the floors of the caps, and the thresholds of the last round.

    A tie with the threshold counts: the item is among the k best. Floors are larger by
    a margin.
    """
    n_bank, everyone, over = len(bank), range(len(bank[0])), set()
    caps = {k: int(share * n_bank + 1e-9) for k, share in sorted(caps.items())}
    bias = list(bias)

    def leads(among, j, k):
        beaten = thresholds_to_beat(bank, bias, among, j, k)
        return sorted((row[j] - t for row, t in zip(bank, beaten, strict=True)))[::-1]

    def exceeding(among):
        return [
            j
            for j in everyone
            if any(leads(among, j, k)[most] >= bias[j] for k, most in caps.items())
        ]

    within = list(everyone)
    for _ in range(n_rounds):
        over |= set(exceeding(everyone))
        within = [j for j in everyone if j not in over]
        if len(within) <= max(caps):
            within, over = list(everyone), set()
        floors = {
            j: max(leads(within, j, k)[most] for k, most in caps.items()) + margin
            for j in exceeding(within)
        }
        if not floors:
            break
        for j, floor in floors.items():
            bias[j] = max(bias[j], floor)
    thresholds = [thresholds_to_beat(bank, bias, within, None, k) for k in caps]
    return bias, [list(row) for row in zip(*thresholds, strict=True)]
