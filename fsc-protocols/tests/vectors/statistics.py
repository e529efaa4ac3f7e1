#!/usr/bin/env python3
"""Writes statistics.json: what StatisticsUnivariate and StatisticsBivariate must return, computed with mpmath to 50 digits.

    pip install mpmath && python3 statistics.py

The inputs are the binary64 numbers in the file, taken exactly; nothing here is shared with the implementation. Every
statistic comes with its tolerance, which is that of the specification: 1e-12 relative, or relative to what cancels.
Columns of 10^6 numbers are not written down but described by a generator ("lcg"), which the test repeats.
"""
import json
import math
import pathlib
import random
import sys

from mpmath import mp, mpf

mp.dps = 50
TOLERANCE = mpf(10) ** -12
SMALLEST = mpf(5e-324)


def lcg(seed, count, scale, offset):
    """Multiples of scale·2^-53 from a 64-bit linear congruential generator (Knuth's MMIX), rounded to binary64 twice."""
    numbers, state = [], seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        numbers.append((state >> 11) * 2.0**-53 * scale + offset)
    return numbers


def nearest(value):
    """The nearest binary64, or None if it is too large."""
    if abs(value) >= mpf(2) ** 1024 * (1 - mpf(2) ** -54):
        return None
    return float(value)


class Expected:
    def __init__(self):
        self.values = {}

    def put(self, name, value, scale=None):
        """A value, right to 1e-12 of `scale`, its own magnitude by default, or to the spacing of subnormals."""
        value = mpf(value)
        scale = abs(value) if scale is None else mpf(scale)
        self.values[name] = {"value": nearest(value), "tolerance": float(min(TOLERANCE * scale + SMALLEST, mpf(1e300)))}

    def null(self, name):
        self.values[name] = {"value": None, "tolerance": 0.0}


def univariate(numbers):
    n = len(numbers)
    xs = [mpf(x) for x in numbers]
    total, magnitude = mp.fsum(xs), mp.fsum(abs(x) for x in xs)
    mean = total / n
    central = {k: mp.fsum((x - mean) ** k for x in xs) for k in range(2, 7)}
    constant = min(xs) == max(xs)
    assert constant == (central[2] == 0) or constant
    e = Expected()
    e.put("samples", n)
    e.put("minimum", min(xs), 0)
    e.put("maximum", max(xs), 0)
    e.put("sum", total, magnitude)
    e.put("mean", mean, magnitude / n)
    if min(xs) > 0:
        e.put("harmonic_mean", n / mp.fsum(1 / x for x in xs))
        e.put("geometric_mean", mp.exp(mp.fsum(mp.log(x) for x in xs) / n))
    else:
        e.null("harmonic_mean")
        e.null("geometric_mean")
    population = mpf(0) if constant else central[2] / n
    sd = mp.sqrt(population)
    e.put("variance_mle", population)
    e.put("standard_deviation_mle", sd)
    e.put("root_mean_square_deviation", sd)
    e.put("root_mean_square", mp.sqrt(mean**2 + population))
    if mean != 0:
        e.put("coefficient_of_variation_mle", sd / mean)
    else:
        e.null("coefficient_of_variation_mle")
    of_sample = ["variance", "standard_deviation", "variance_of_sample_mean", "standard_error_of_sample_mean"]
    if n > 1:
        variance = population * n / (n - 1)
        for name, value in zip(of_sample, [variance, mp.sqrt(variance), variance / n, mp.sqrt(variance / n)]):
            e.put(name, value)
    else:
        for name in of_sample:
            e.null(name)
    if n > 1 and mean != 0:
        e.put("coefficient_of_variation", mp.sqrt(variance) / mean)
    else:
        e.null("coefficient_of_variation")
    shape = [("skewness", 3), ("kurtosis", 4), ("hyper_skewness", 5), ("hyper_flatness", 6)]
    for name, k in shape:
        if constant:
            e.null(name)
            continue
        standardised = central[k] / n / sd**k
        absolute = mp.fsum(abs(x - mean) ** k for x in xs) / n / sd**k
        e.put(name, standardised, max(1, absolute) if k % 2 else None)
        if k == 4:
            e.put("kurtosis_excess", standardised - 3, standardised)
    if constant:
        e.null("kurtosis_excess")
    return e.values


def bivariate(pairs):
    n = len(pairs)
    xs, ys = [mpf(x) for x, _ in pairs], [mpf(y) for _, y in pairs]
    mean = lambda numbers: mp.fsum(numbers) / n
    mean_x, mean_y = mean(xs), mean(ys)
    sxx = mp.fsum((x - mean_x) ** 2 for x in xs)
    sxy = mp.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
    syy = mp.fsum((y - mean_y) ** 2 for y in ys)
    constant_x, constant_y = min(xs) == max(xs), min(ys) == max(ys)
    if constant_x or constant_y:
        sxy = mpf(0)
    spread = mp.sqrt(sxx * syy)
    e = Expected()
    e.put("samples", n)
    e.put("mean_x", mean_x, mean([abs(x) for x in xs]))
    e.put("mean_y", mean_y, mean([abs(y) for y in ys]))
    e.put("covariance_mle", sxy / n, spread / n)
    if n > 1:
        e.put("covariance", sxy / (n - 1), spread / (n - 1))
    else:
        e.null("covariance")
    if constant_x or constant_y:
        e.null("correlation_coefficient")
    else:
        e.put("correlation_coefficient", sxy / spread, 1)
    if constant_x:
        for name in ["regression_slope", "regression_intercept", "regression_interceipt"]:
            e.null(name)
    else:
        slope = sxy / sxx
        e.put("regression_slope", slope, mp.sqrt(syy / sxx))
        for name in ["regression_intercept", "regression_interceipt"]:
            e.put(name, mean_y - slope * mean_x)
    if all(x == 0 for x in xs):
        e.null("regression_slope_only")
    else:
        raw = mp.fsum(x * x for x in xs)
        absolute = mp.fsum(abs(x * y) for x, y in zip(xs, ys))
        e.put("regression_slope_only", mp.fsum(x * y for x, y in zip(xs, ys)) / raw, absolute / raw)
    return e.values


def dealt(numbers, parties, empty=()):
    """Splits a list among parties, some of which get nothing."""
    hands = [[] for _ in range(parties)]
    takers = [place for place in range(parties) if place not in empty]
    for index, number in enumerate(numbers):
        hands[takers[index * 7919 % 104729 % len(takers)]].append(number)
    return hands


def columns(rng):
    yield "integers with ties", dealt([float(rng.randint(1, 5)) for _ in range(50)], 3)
    yield "a large mean", dealt([1e9 + rng.uniform(-1, 1) for _ in range(100)], 3)
    yield "a negative large mean", dealt([-1e9 + rng.uniform(-1, 1) for _ in range(100)], 2)
    yield "a mean of 1e15 and a spread of its last bits", dealt([1e15 + rng.randint(0, 8) / 8 for _ in range(60)], 2)
    yield "two neighbours", dealt([1e9] * 99 + [math.nextafter(1e9, 2e9)], 3)
    yield "mixed magnitudes", dealt([rng.choice([-1, 1]) * 10 ** rng.uniform(-6, 12) for _ in range(200)], 3)
    yield "positive mixed magnitudes", dealt([10 ** rng.uniform(-6, 12) for _ in range(200)], 4)
    yield "an outlier", dealt([10 ** rng.uniform(-6, -5) for _ in range(200)] + [-1e12], 3)
    yield "decimals", dealt([rng.randint(-999, 999) / 1000 for _ in range(120)], 5)
    yield "lognormal", dealt([math.exp(rng.gauss(0, 2)) for _ in range(300)], 7)
    yield "zeros and negative zeros", dealt([0.0, -0.0, 0.0, -0.0, 1.0], 2)
    yield "nothing but zeros", dealt([0.0, -0.0, 0.0], 2)
    yield "constants", dealt([0.1] * 17, 3)
    yield "negative constants", dealt([-1e300] * 5, 2)
    yield "one sample", [[], [42.5], []]
    yield "one sample of zero", [[0.0], []]
    yield "two samples at one party", [[], [3.0, 4.0]]
    yield "empty parties", dealt([rng.uniform(0, 1) for _ in range(30)], 5, empty=(0, 3, 4))
    yield "a mean of zero", dealt([-3.0, -1.0, 4.0, 2.5, -2.5], 2)
    yield "subnormals", dealt([5e-324, 1e-323, 2e-310, 3.5e-309], 2)
    yield "tiny numbers", dealt([rng.uniform(1, 2) * 1e-200 for _ in range(40)], 3)
    yield "huge numbers", dealt([1e300, -1e300, 5e299, 1.0, -7.0], 3)
    yield "numbers whose sum overflows", dealt([1.7e308, 1.5e308, 1.6e308], 2)
    yield "the whole range", dealt([-1.7976931348623157e308, 1.7976931348623157e308, 5e-324], 3)
    yield "powers of two", dealt([2.0**k for k in range(-30, 31)], 3)


def pairs(rng):
    line = lambda x, noise: (x, 2 * x + 3 + noise * rng.gauss(0, 1))
    yield "a line with noise", dealt([line(rng.uniform(0, 100), 5) for _ in range(100)], 2)
    yield "large means", dealt([line(1e9 + rng.uniform(-1, 1), 0.1) for _ in range(100)], 3)
    yield "large means, exactly on a line", dealt([(1e9 + k / 8, 2e9 + k / 4 + 3) for k in range(-20, 21)], 3)
    yield "a falling line", dealt([(float(k), 1e6 - 0.5 * k) for k in range(50)], 3)
    yield "independent", dealt([(rng.gauss(0, 1), rng.gauss(5, 1e-3)) for _ in range(200)], 4)
    yield "mixed magnitudes", dealt([(10 ** rng.uniform(-6, 12), -(10 ** rng.uniform(-6, 12))) for _ in range(200)], 3)
    yield "integers with ties", dealt([(float(rng.randint(0, 3)), float(rng.randint(0, 3))) for _ in range(60)], 7)
    yield "equal x", dealt([(0.1, float(k)) for k in range(9)], 2)
    yield "equal y", dealt([(float(k), 0.1) for k in range(9)], 2)
    yield "x of zero", dealt([(0.0, 1.0), (-0.0, 2.0)], 2)
    yield "one pair", [[], [[1.5, -2.5]], []]
    yield "two pairs", [[[1.0, 2.0]], [[2.0, 4.5]]]
    yield "empty parties", dealt([line(rng.uniform(-1, 1), 1) for _ in range(20)], 5, empty=(0, 2, 4))
    yield "huge and tiny", dealt([(rng.uniform(-1, 1) * 1e300, rng.uniform(-1, 1) * 1e-300) for _ in range(20)], 2)
    yield "tiny", dealt([(rng.uniform(1, 2) * 1e-160, rng.uniform(1, 2) * 1e-150) for _ in range(20)], 2)
    yield "spreads of the last bits", dealt([(1e15 + rng.randint(0, 3) / 8, rng.randint(0, 3) / 8 - 1e15) for _ in range(30)], 3)
    yield "neighbours", dealt([(1e9, 7.0)] * 9 + [(math.nextafter(1e9, 2e9), math.nextafter(7.0, 8.0))] * 4, 2)
    yield "huge", dealt([(rng.uniform(-1, 1) * 1e300, rng.uniform(-1, 1) * 1e300) for _ in range(20)], 2)


def million():
    """Three parties of 10^6 numbers each, about a large mean; small enough here, where only the moments are needed."""
    parties = [{"seed": seed, "count": 10**6, "scale": 2.0, "offset": 1e9 - 1} for seed in (1, 2, 3)]
    numbers = [x for party in parties for x in lcg(**party)]
    return {"lcg": parties, "expected": univariate_of_integers(numbers, 2**23)}


def univariate_of_integers(numbers, factor):
    """As univariate, of multiples of 1/factor: their moments about 10^9, in exact integers, give those about the mean."""
    n, base = len(numbers), 10**9
    units = [int(x * factor) - base * factor for x in numbers]
    assert all(mpf(u) / factor + base == x for u, x in zip(units[:1000], numbers[:1000]))
    raw = [sum(u**k for u in units) for k in range(7)]
    with mp.workdps(120):
        shift = mpf(raw[1]) / n
        central = {k: mp.fsum(mp.binomial(k, j) * raw[j] * (-shift) ** (k - j) for j in range(k + 1)) / mpf(factor) ** k for k in range(2, 7)}
        mean = base + shift / factor
    e = Expected()
    variance = central[2] / n
    e.put("samples", n)
    e.put("mean", mean)
    e.put("sum", mean * n)
    e.put("variance_mle", variance)
    e.put("variance", central[2] / (n - 1))
    e.put("kurtosis", central[4] / n / variance**2)
    e.put("hyper_flatness", central[6] / n / variance**3)
    # Their scales are not computed; of numbers spread evenly, mean|z|^3 and mean|z|^5 are at least 1.
    e.put("skewness", central[3] / n / mp.sqrt(variance) ** 3, 1)
    e.put("hyper_skewness", central[5] / n / mp.sqrt(variance) ** 5, 1)
    e.put("geometric_mean", mp.exp(mp.log(base) + sum_of_logarithms(raw, base * factor) / n))
    e.put("harmonic_mean", n / sum_of_reciprocals(raw, base, factor))
    return e.values


def sum_of_logarithms(raw, base):
    """Σ ln(1 + u/base), by its series: |u/base| is below 2e-9, so six terms leave less than 1e-50."""
    return mp.fsum((-1) ** (k + 1) * mpf(raw[k]) / mpf(base) ** k / k for k in range(1, 7))


def sum_of_reciprocals(raw, base, factor):
    """Σ 1/x, likewise."""
    return mp.fsum((-1) ** k * mpf(raw[k]) / mpf(base * factor) ** k for k in range(7)) / base


def main():
    rng = random.Random(20261122)
    flat = lambda parties: [x for party in parties for x in party]
    cases = {
        "univariate": [{"name": name, "data": data, "expected": univariate(flat(data))} for name, data in columns(rng)],
        "bivariate": [{"name": name, "data": data, "expected": bivariate(flat(data))} for name, data in pairs(rng)],
        "million": million(),
    }
    target = pathlib.Path(__file__).with_suffix(".json")
    with target.open("w") as file:
        for opening, (key, value) in zip("{,,", cases.items()):
            file.write(f'{opening}"{key}":')
            if isinstance(value, list):
                file.write("[\n" + ",\n".join(json.dumps(case, allow_nan=False) for case in value) + "\n]\n")
            else:
                file.write(json.dumps(value, allow_nan=False) + "\n")
        file.write("}\n")


if __name__ == "__main__":
    sys.exit(main())
