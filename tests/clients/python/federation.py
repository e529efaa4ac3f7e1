"""What the tests share: three nodes, the reference's unmodified client, and threads that do not wait for ever.

Environment: FSC_URLS, the nodes' addresses, separated by commas. FSC_SERVED_BY=reference says that the Python reference
answers there, to check these tests' expectations against it: what only we promise is then skipped.
"""
import json
import logging
import math
import os
import pathlib
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid

from federatedsecure.client import Api

URLS = os.environ["FSC_URLS"].split(",")
REFERENCE = pathlib.Path(__file__).parent.parent / "reference"
DEADLINE_S = 60
RELATIVE = 1e-9

# The client logs every refused request as an error; here refusals are what is tested.
logging.getLogger("federatedsecure.client").setLevel(logging.CRITICAL)

only_ours = unittest.skipIf(os.environ.get("FSC_SERVED_BY") == "reference", "the reference does not promise this")


def network(me, urls=URLS, token=None):
    """The `network` argument of party `me`."""
    described = {"nodes": list(urls), "myself": me}
    return described if token is None else {**described, "uuid": token}


def token():
    """A fresh `network.uuid`."""
    return str(uuid.uuid4())


def simon(me, urls=URLS):
    """The api of party `me` and its Simon service."""
    api = Api(urls[me])
    return api, api.create(protocol="Simon")


def compute(me, data, shared, urls=URLS, function="SecureSum"):
    """What party `me` downloads as the result of `compute`."""
    api, service = simon(me, urls)
    return api.download(service.compute(microprotocol=function, data=data, network=network(me, urls, shared)))


def together(*parties):
    """Runs the functions at once and gives what each returned or raised, in order."""
    outcomes = [TimeoutError(f"party {me} did not end within {DEADLINE_S} s") for me in range(len(parties))]

    def run(me, party):
        try:
            outcomes[me] = party()
        except Exception as error:  # an outcome like any other; the test decides
            outcomes[me] = error

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(parties)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + DEADLINE_S
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return list(outcomes)


def raw(method, url, body=None):
    """Status, headers and JSON body of a request that no client of the reference would send in this form."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.load(error)


class NodeTest(unittest.TestCase):
    """Adds what is asked of refusals and of results."""

    def assert_refused(self, code, request, *args, **kwargs):
        """The request raises; the status is `code`. Gives the server's message."""
        with self.assertRaises(Exception) as caught:
            request(*args, **kwargs)
        return self.assert_failure(code, caught.exception)

    def assert_failure(self, code, error):
        """The client raises one line of fields separated by tabs: the status is the fifth, the body the last."""
        self.assertIsInstance(error, Exception)
        fields = str(error).split("\t")
        self.assertEqual(len(fields), 7, f"not a refusal but {error!r}")
        body = json.loads(fields[6])
        self.assertEqual(int(fields[4]), code, body)
        self.assertEqual(body["code"], code)
        return body["message"]

    def assert_meets(self, got, expected, where):
        """The result has all that is expected: numbers to nine digits, everything else to the letter."""
        if isinstance(expected, dict):
            self.assertIsInstance(got, dict, where)
            for key, value in expected.items():
                self.assertIn(key, got, where)
                self.assert_meets(got[key], value, f"{where}.{key}")
        elif isinstance(expected, list):
            self.assertEqual(len(got), len(expected), where)
            for index, (one, other) in enumerate(zip(got, expected, strict=True)):
                self.assert_meets(one, other, f"{where}[{index}]")
        elif isinstance(expected, (int, float)) and not isinstance(expected, bool):
            self.assertTrue(math.isclose(got, expected, rel_tol=RELATIVE), f"{where}: {got} instead of {expected}")
        else:
            self.assertEqual(got, expected, where)
