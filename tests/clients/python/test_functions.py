"""Every function over the nodes, on the inputs of the recorded runs of the reference (client 0.6.2, server 0.6.3, simon 0.6.4)."""
import json
import unittest

from federation import REFERENCE, URLS, NodeTest, compute, only_ours, together, token

RECORDED = json.loads((REFERENCE / "functions.json").read_text())


def run(function):
    """One computation: what each party got."""
    inputs, shared = RECORDED[function]["inputs_by_party"], token()
    urls = URLS[: len(inputs)]
    return together(*(lambda me=me: compute(me, inputs[me], shared, urls, function) for me in range(len(inputs))))


class Recorded(NodeTest):
    def check(self, function, results):
        for me, (got, expected) in enumerate(zip(results, RECORDED[function]["results_by_party"], strict=True)):
            self.assertIsInstance(got, dict, f"{function} at party {me}: {got!r}")
            self.assert_meets(got, expected, f"{function} at party {me}")

    def test_every_recorded_result_is_met(self):
        for function in RECORDED:
            with self.subTest(function=function):
                self.check(function, run(function))

    @only_ours
    def test_two_hundred_mixed_computations_at_once(self):
        functions = [function for function in RECORDED for _ in range(20)]
        results = together(*(lambda function=function: run(function) for function in functions))
        for function, result in zip(functions, results, strict=True):
            self.assertIsInstance(result, list, f"{function}: {result!r}")
            self.check(function, result)


if __name__ == "__main__":
    unittest.main()
