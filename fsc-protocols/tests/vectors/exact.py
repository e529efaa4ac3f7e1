#!/usr/bin/env python3
"""Writes exact.json: what functions of order, tables and matrix products must return, computed with fractions.

    python3 exact.py

The inputs are the numbers in the file, taken exactly: binary64, or integers. Order, medians and counts are exact, so results must be
what the file says; of a product, every element comes with its tolerance, which is that of the function's documentation, and the
rounding to binary64. Nothing here is shared with the implementation.
"""
import collections
import json
import math
import pathlib
import random
import sys
from fractions import Fraction

LARGEST = sys.float_info.max


def dealt(items, parties, empty=()):
    """Splits a list among parties, some of which get nothing."""
    takers = [place for place in range(parties) if place not in empty]
    hands = [[] for _ in range(parties)]
    for index, item in enumerate(items):
        hands[takers[index * 7919 % 104729 % len(takers)]].append(item)
    return hands


def case(name, function, data, result, **more):
    return {"name": name, "function": function, "data": data, "result": result, **more}


# Order.


def columns(rng):
    """Columns of numbers, and their type."""
    any_float = lambda: math.ldexp(rng.choice([-1, 1]) * (rng.getrandbits(53) + 1), rng.randint(-1074, 970))
    yield "the least and the greatest floats", "float64", [5e-324, -5e-324, LARGEST, -LARGEST]
    yield "subnormals", "float64", [5e-324, 1e-323, 5e-324, 2e-310, 1.5e-323]
    yield "halves of subnormals", "float64", [5e-324, 1e-323]
    yield "huge numbers", "float64", [1e300, -1e300, 1e300, -1e300, 5e299]
    yield "numbers whose sum overflows", "float64", [1.7e308, 1.5e308, LARGEST, 1.6e308]
    yield "decimals", "float64", [0.57, 1e-7, 0.1, 0.3, 0.57, 1e-7]
    yield "ties", "float64", [2.5] * 7 + [1.0] * 3 + [2.5]
    yield "zeros and negative zeros", "float64", [-0.0, 0.0, -0.0, 5e-324]
    yield "zeros below", "float64", [-5e-324, -0.0, -0.0]
    yield "neighbours", "float64", [1.0, math.nextafter(1.0, 2.0), math.nextafter(1.0, 0.0), 1.0]
    yield "one number", "float64", [-1e-7]
    yield "any floats", "float64", [any_float() for _ in range(40)]
    yield "large means", "float64", [1e9 + rng.uniform(-1, 1) for _ in range(31)]
    yield "the least and the greatest integers", "int64", [2**63 - 1, -(2**63), 2**63 - 2, -(2**63)]
    yield "integers that floats do not tell apart", "int64", [2**53, 2**53 + 1, 2**53 + 2, 2**53 + 1]
    yield "any integers", "int64", [rng.randint(-(2**63), 2**63 - 1) for _ in range(25)]


def median(lower, upper, kind):
    """Of floats, the nearest float to the exact mean; of integers, the mean itself, if it is one."""
    exact = (Fraction(lower) + Fraction(upper)) / 2
    return int(exact) if kind == "int64" and exact.denominator == 1 else float(exact)


def order(rng):
    for name, kind, numbers in columns(rng):
        # Negative zero is zero.
        ascending = [number + 0 for number in sorted(numbers, key=Fraction)]
        count = len(ascending)
        lower, upper = ascending[(count - 1) // 2], ascending[count // 2]
        parameters = {"type": kind}
        for parties in (2, 3):
            data = dealt(numbers, parties, empty=(1,) if parties == 3 else ())
            extremes = {"minimum": ascending[0], "maximum": ascending[-1], "samples": count}
            yield case(name, "MinimumMaximum", data, extremes, parameters=parameters)
            middle = {"lower": lower, "upper": upper, "median": median(lower, upper, kind)}
            yield case(name, "SecureMedian", data, middle, parameters=parameters)
            for rank in sorted({1, count, rng.randint(1, count)}):
                ranked = [{"array": array, "rank": rank} for array in data]
                element = {"item": ascending[rank - 1], "samples": count}
                yield case(f"{name}, rank {rank}", "KthElement", ranked, element, parameters=parameters)


# Tables.


def place(key):
    """Truth values before numbers before texts; texts in order of their bytes."""
    if isinstance(key, bool):
        return 0, Fraction(key), b""
    return (2, Fraction(0), key.encode()) if isinstance(key, str) else (1, Fraction(key), b"")


def plain(key):
    """A number that is an integer as one."""
    return int(key) if isinstance(key, float) and key.is_integer() else key


def text(key):
    return key if isinstance(key, str) else json.dumps(key)


def counted(records, keys, minimum):
    """The counts of all keys, in order, None where they are below the minimum; and which occurs most often."""
    counts = collections.Counter(map(place_of_any, records))
    counts = [(key, counts[place_of_any(key)]) for key in keys]
    cells = [(key, count if count >= minimum else None) for key, count in counts]
    shown = [(count, -index) for index, (_, count) in enumerate(cells) if count]
    return cells, None if not shown else cells[-max(shown)[1]][0]


def place_of_any(key):
    return tuple(map(place, key)) if isinstance(key, tuple) else place(key)


def distinct(keys):
    return [key for _, key in sorted({place(key): plain(key) for key in keys}.items())]


def written(count):
    return None if count is None else float(count)


def summary(cells, minimum):
    """What all results have."""
    result = {"samples": float(sum(count or 0 for _, count in cells))}
    hidden = sum(count is None for _, count in cells)
    return {**result, "suppressed": hidden} if hidden else result


def frequency(records, book=None, minimum=0):
    cells, mode = counted(records, distinct(book if book is not None else records), minimum)
    result = {"cells": [[key, written(count)] for key, count in cells], "mode": mode, **summary(cells, minimum)}
    if len({text(key) for key, _ in cells}) == len(cells):
        result["histogram"] = {text(key): written(count) for key, count in cells}
    return result


def contingency(records, book=None, minimum=0):
    rows, columns = [distinct(side) for side in (book if book is not None else list(zip(*records)) or [(), ()])]
    cells, mode = counted(records, [(row, column) for row in rows for column in columns], minimum)
    counts = {place_of_any(key): count for key, count in cells}
    count = lambda row, column: counts[place_of_any((row, column))]
    total = lambda keys: float(sum(count(*key) or 0 for key in keys))
    result = {
        "cells": [[list(key), written(count)] for key, count in cells],
        "mode": None if mode is None else list(mode),
        "row_totals": [[row, total((row, column) for column in columns)] for row in rows],
        "column_totals": [[column, total((row, column) for row in rows)] for column in columns],
        **summary(cells, minimum),
    }
    if all(len({text(key) for key in side}) == len(side) for side in (rows, columns)):
        table = lambda row: {text(column): written(count(row, column)) for column in columns}
        result["table"] = {text(row): table(row) for row in rows}
    return result


def tables(rng):
    keys = [True, False, -2, 0, 0.5, 1, 2.5, 2**70, "", "1", "a", "ä", "a\u0308", "😀", "a longer key " * 9]
    some = lambda count: [rng.choice(keys) for _ in range(count)]
    plain_keys = ["drug", "none", "surgery"]
    for parties in (2, 3):
        for name, records in [
            ("keys of all types", some(60)),
            ("a tie of modes", ["b", 10, "a", 9, "b", "a", 9, 10]),
            ("numbers that are the same", [1, 1.0, True, "1", 0.0, -0.0, 0]),
            ("no records", []),
        ]:
            yield case(name, "StatisticsFrequency", dealt(records, parties), frequency(records), parameters=None)
        records, book = [rng.choice(plain_keys) for _ in range(30)] + ["rare"], plain_keys + ["rare", "unheard of"]
        for minimum in (1, 3):
            parameters = {"categories": book, "minimum_count": minimum}
            result = frequency(records, book, minimum if minimum > 1 else 0)
            yield case(f"a minimum of {minimum}", "StatisticsFrequency", dealt(records, parties), result, parameters=parameters)
        for name, pairs in [
            ("keys of all types", list(zip(some(12), some(12)))),
            ("a tie of modes", [("b", 1), ("a", 2), ("a", 1), ("b", 1), ("a", 2)]),
            ("no records", []),
        ]:
            data = dealt([list(pair) for pair in pairs], parties)
            yield case(name, "StatisticsContingency", data, contingency(pairs), parameters=None)
        pairs, book = [(rng.choice(plain_keys), rng.choice([0, 1])) for _ in range(25)], [plain_keys, [0, 1, 2]]
        for minimum in (1, 4):
            parameters = {"categories": book, "minimum_count": minimum}
            result = contingency(pairs, book, minimum if minimum > 1 else 0)
            data = dealt([list(pair) for pair in pairs], parties)
            yield case(f"a minimum of {minimum}", "StatisticsContingency", data, result, parameters=parameters)


# Products.


def product(x, y):
    """X·Y to the nearest float, and how far off each element may be."""
    exact = [[sum(Fraction(a) * Fraction(b) for a, b in zip(row, column)) for column in zip(*y)] for row in x]
    largest = lambda matrix: max(abs(Fraction(entry)) for row in matrix for entry in row)
    inner = len(y)
    unit = Fraction(1, 2**55) + Fraction(2) ** ((inner - 1).bit_length() - 70)
    off = lambda number: float(inner * largest(x) * largest(y) * unit + abs(number) / 2**53) + 5e-324
    apply = lambda function: [[function(number) for number in row] for row in exact]
    return {"product": apply(float)}, apply(off)


def matrices(rng):
    sized = lambda rows, columns, entry: [[entry() for _ in range(columns)] for _ in range(rows)]
    mixed = lambda: rng.choice([-1, 1]) * 10 ** rng.uniform(-6, 12)
    uniform = lambda: rng.uniform(-1, 1)
    yield "small decimals", [[0.57, 1e-7], [0.1, -0.3]], [[1e-7], [0.57]]
    yield "what cancels", [[1.0, 1e9, -1.0]], [[1e9], [1.0], [2e9]]
    yield "subnormals", [[5e-324, 1.5e-323]], [[1.0], [0.5]]
    yield "huge times tiny", [[1e300, -1e299]], [[1e-300], [5e-324]]
    yield "negative zeros", [[-0.0, 1.0]], [[5.0], [-0.0]]
    yield "nothing but zeros", [[0.0], [0.0]], [[3.0, -0.0]]
    yield "mixed magnitudes", sized(4, 5, mixed), sized(5, 3, mixed)
    yield "uniform numbers", sized(5, 9, uniform), sized(9, 2, uniform)
    yield "integers of 53 bits", sized(2, 2, lambda: float(rng.randint(-(2**53), 2**53))), [[1.0, -2.0], [0.0, 1.0]]


def products(rng):
    for name, x, y in matrices(rng):
        result, tolerance = product(x, y)
        for data in ([[x], [y]], [[x], [], [y]]):
            yield case(name, "SecureMatrixMultiplication", data, result, parameters=None, tolerance=tolerance)


def main():
    rng = random.Random(20261123)
    cases = [*order(rng), *tables(rng), *products(rng)]
    target = pathlib.Path(__file__).with_suffix(".json")
    lines = (json.dumps(case, allow_nan=False, ensure_ascii=False) for case in cases)
    target.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
