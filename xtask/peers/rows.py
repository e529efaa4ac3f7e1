#!/usr/bin/env python3
"""Times functions over any servers that speak the client contract, by the Python reference's own client.

    python rows.py NAME=URL,URL,URL ... [--runs 11] [--only FUNCTION ...]
    python rows.py --inputs                # prints what it would send, for clients in other languages

Inputs are as in the reference's benchmark (N=100). Each party is one thread with its own client; a run's time is from
the common start to the last party's result. Servers take turns, run by run, so that a slow minute of the machine meets
all of them. Prints one line of JSON: for each function parties, n, runs, and for each name the median, least and
greatest time in seconds. A run that fails ends the script with a message.
"""
import argparse
import json
import logging
import random
import statistics
import sys
import threading
import time
import uuid

from federatedsecure.client import Api

DEADLINE_S = 60


def floats(rng, count):
    return [round(rng.uniform(0, 100), 3) for _ in range(count)]


def matrix(rng, rows, columns):
    return [[round(rng.uniform(-1, 1), 6) for _ in range(columns)] for _ in range(rows)]


def pairs(rng, count):
    return [[x, round(2 * x + rng.gauss(0, 5), 3)] for x in floats(rng, count)]


def ranked(rng, count):
    return {"array": [rng.randrange(1000) for _ in range(count)], "rank": 50, "lower_bound": 0, "upper_bound": 1000}


# Function, and the `data` argument of each party.
ROWS = {
    "SecureSum": lambda rng, n: [floats(rng, n) for _ in range(3)],
    "SecureMatrixMultiplication": lambda rng, n: [[matrix(rng, 10, 10)] for _ in range(2)],
    "StatisticsFrequency": lambda rng, n: [[rng.choice("abcd") for _ in range(n)] for _ in range(2)],
    "StatisticsContingency": lambda rng, n: [[[rng.choice("mf"), rng.choice("xyz")] for _ in range(n)] for _ in range(2)],
    "StatisticsUnivariate": lambda rng, n: [floats(rng, n) for _ in range(2)],
    "StatisticsBivariate": lambda rng, n: [pairs(rng, n) for _ in range(2)],
    "StatisticsRegressionOLSVertical": lambda rng, n: [[matrix(rng, 10, 10)], matrix(rng, 1, 10)],
    "SecureMedian": lambda rng, n: [[float(rng.randrange(100)) for _ in range(n)] for _ in range(2)],
    "KthElement": lambda rng, n: [[ranked(rng, n)] for _ in range(2)],
    "MinimumMaximum": lambda rng, n: [[{"minimum": x, "maximum": x} for x in floats(rng, n)] for _ in range(2)],
}


def inputs_of(function, n=100):
    return ROWS[function](random.Random(1), n)


def party(urls, me, token, function, data):
    api = Api(urls[me])
    simon = api.create(namespace="federatedsecure", protocol="Simon")
    network = {"nodes": urls, "myself": me, "uuid": token}
    return api.download(simon.compute(microprotocol=function, data=data, network=network))


def once(urls, function, inputs):
    """Seconds from the common start to the last party's result."""
    results, token = [None] * len(inputs), str(uuid.uuid4())

    def run(me):
        results[me] = party(urls[: len(inputs)], me, token, function, inputs[me])

    threads = [threading.Thread(target=run, args=(me,), daemon=True) for me in range(len(inputs))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, start + DEADLINE_S - time.perf_counter()))
    took = time.perf_counter() - start
    if any(result is None for result in results):
        sys.exit(f"{function}: party {results.index(None)} got no result")
    return took


def row(servers, function, runs, n=100):
    inputs = inputs_of(function, n)
    times = {name: [] for name in servers}
    # One round more than asked for: the first warms up and is not counted.
    for _ in range(runs + 1):
        for name, urls in servers.items():
            times[name].append(once(urls, function, inputs))
    figures = {name: summary(taken[1:]) for name, taken in times.items()}
    return {"parties": len(inputs), "n": n, "runs": runs, "servers": figures}


def summary(times):
    return {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times)}


def named(text):
    name, _, urls = text.partition("=")
    return name, urls.split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("servers", nargs="*", type=named, metavar="NAME=URL,URL,URL")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--inputs", action="store_true")
    arguments = parser.parse_args()
    if arguments.inputs:
        print(json.dumps({function: inputs_of(function) for function in arguments.only}))
        return
    logging.disable(logging.CRITICAL)
    servers = dict(arguments.servers)
    print(json.dumps({function: row(servers, function, arguments.runs) for function in arguments.only}))


if __name__ == "__main__":
    main()
