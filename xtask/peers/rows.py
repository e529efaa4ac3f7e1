#!/usr/bin/env python3
"""Times functions over any servers that speak the client contract, by the Python reference's own client.

    python rows.py NAME=URL,URL,URL ... [--runs 11] [--only FUNCTION ...]

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


# Function, and the `data` argument of each party.
ROWS = {
    "SecureSum": lambda rng, n: [floats(rng, n) for _ in range(3)],
}


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
    inputs = ROWS[function](random.Random(1), n)
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
    parser.add_argument("servers", nargs="+", type=named, metavar="NAME=URL,URL,URL")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    servers = dict(arguments.servers)
    print(json.dumps({function: row(servers, function, arguments.runs) for function in arguments.only}))


if __name__ == "__main__":
    main()
