"""SecureSum over three nodes, by `compute` and by the explicit flow."""
import math
import time
import unittest

from federation import DEADLINE_S, URLS, NodeTest, compute, network, only_ours, raw, simon, together, token

INPUTS = [42, 16, 99]
RESULT = {"inputs": 3, "result": {"sum": 157.0}}


def at_every_party(inputs, shared):
    """One computation: what each party got."""
    return together(*(lambda me=me: compute(me, inputs[me], shared) for me in range(len(inputs))))


class Compute(NodeTest):
    def test_scalars(self):
        self.assertEqual(at_every_party(INPUTS, token()), [RESULT] * 3)

    def test_lists_are_summed(self):
        self.assertEqual(at_every_party([[40, 2], [16.0], [100, -1]], token()), [RESULT] * 3)

    @only_ours
    def test_the_sum_of_decimals_is_exact(self):
        self.assertEqual([r["result"] for r in at_every_party([0.1, 0.2, -0.3], token())], [{"sum": math.fsum([0.1, 0.2, -0.3])}] * 3)

    @only_ours
    def test_one_network_uuid_serves_twice(self):
        shared = token()
        self.assertEqual(at_every_party(INPUTS, shared), [RESULT] * 3)
        self.assertEqual(at_every_party([1, 2, 3], shared), [{"inputs": 3, "result": {"sum": 6.0}}] * 3)

    @only_ours
    def test_two_nodes_are_enough(self):
        pair, shared = URLS[1:], token()
        results = together(*(lambda me=me: compute(me, me + 1, shared, urls=pair) for me in range(2)))
        self.assertEqual(results, [{"inputs": 2, "result": {"sum": 3.0}}] * 2)

    @only_ours
    def test_twenty_computations_at_once(self):
        runs = [(token(), [k, 10 * k, 100 * k]) for k in range(20)]
        results = together(*(lambda s=s, d=d, me=me: compute(me, d[me], s) for s, d in runs for me in range(3)))
        expected = [{"inputs": 3, "result": {"sum": float(sum(d))}} for _, d in runs for _ in range(3)]
        self.assertEqual(results, expected)


class ExplicitFlow(NodeTest):
    def run_party(self, me, invitations):
        """Party 0 invites; the others take the invitation out of the list, as business code would by its own means."""
        api, service = simon(me)
        if me == 0:
            task = service.create_task(microprotocol="SecureSum", network=network(me))
            invitations.append(api.download(task.invite()))
        else:
            deadline = time.monotonic() + DEADLINE_S
            while not invitations and time.monotonic() < deadline:
                time.sleep(0.01)
            task = service.join_task(invitation=invitations[0], network=network(me))
        self.assertIsNone(task.input(data=INPUTS[me]))
        self.assertIsNone(task.start())
        task.progress()
        return self.poll(api, task)

    def poll(self, api, task):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            result = task.result()
            if result is not None:
                return api.download(result)
            time.sleep(0.02)
        raise TimeoutError("no result")

    def test_create_invite_join_input_start_result(self):
        invitations = []
        results = together(*(lambda me=me: self.run_party(me, invitations) for me in range(3)))
        self.assertEqual(results, [RESULT] * 3)

    def test_an_invitation_names_task_and_function(self):
        api, service = simon(0)
        named = token()
        task = service.create_task(microprotocol="SecureSum", network=network(0), task_id=named)
        invitation = api.download(task.invite())
        self.assertEqual(invitation["task_id"], named)
        self.assertEqual(invitation["microprotocol"], "SecureSum")
        self.assertEqual(sorted(invitation), ["invitation_id", "microprotocol", "parameters", "parent", "task_id"])

    @only_ours
    def test_before_the_start_there_is_no_result(self):
        _, service = simon(0)
        task = service.create_task(microprotocol="SecureSum", network=network(0))
        task.input(data=1)
        self.assertIsNone(task.result())

    def test_input_may_come_in_pieces(self):
        def party(me, api, task):
            for piece in ([40, 1], 1) if me == 0 else (INPUTS[me],):
                task.input(data=piece)
            task.start()
            return self.poll(api, task)

        api, service = simon(0)
        task = service.create_task(microprotocol="SecureSum", network=network(0))
        invitation = api.download(task.invite())
        parties = [(api, task)]
        for me in (1, 2):
            api, service = simon(me)
            parties.append((api, service.join_task(invitation=invitation, network=network(me))))
        results = together(*(lambda me=me, at=at: party(me, *at) for me, at in enumerate(parties)))
        self.assertEqual(results, [RESULT] * 3)


@only_ours
class Refusals(NodeTest):
    def test_parties_that_want_different_runs_hear_of_it(self):
        shared = token()
        results = together(
            lambda: compute(0, 1, shared, urls=URLS[:2]),
            lambda: compute(1, 2, shared, urls=URLS),
        )
        for me, result in enumerate(results):
            self.assertIsInstance(result, Exception)
            self.assertRegex(str(result), rf"(?s)\t4\d\d\t.*party {1 - me}\b.*SecureSum", f"at party {me}")

    def test_an_unknown_function_is_named(self):
        with self.assertRaises(Exception) as caught:
            compute(0, 1, token(), function="NoSuchFunction")
        self.assertRegex(str(caught.exception), r"\t4(00|04)\t.*NoSuchFunction")

    def test_data_that_cannot_be_summed_is_a_bad_request_without_the_data(self):
        for data in ["secret-text", ["secret-text"], {"secret-text": 1}, None, 1e308]:
            with self.subTest(data=data):
                message = self.assert_refused(400, compute, 0, data, token())
                self.assertNotIn("secret", message)
                self.assertNotIn("1e308", message.lower().replace("+", ""))

    def test_a_place_outside_the_network_is_a_bad_request(self):
        _, service = simon(0)
        for wrong in (3, -1, 2**70, "0", None):
            with self.subTest(myself=wrong):
                described = {**network(0, token=token()), "myself": wrong}
                self.assert_refused(400, service.compute, microprotocol="SecureSum", data=1, network=described)


@only_ours
class RShaped(NodeTest):
    """R sends null for no arguments, scalars for lists of one, and whole numbers as decimals."""

    def handle(self, method, url, kwargs=None):
        status, _, answer = raw(method, url, {"args": None, "kwargs": kwargs or {}})
        self.assertEqual((status, answer.get("type")), (200, "uuid"), answer)
        return answer["uuid"]

    def party(self, me, shared):
        url = URLS[me]
        service = self.handle("POST", url + "/representations", {"protocol": "Simon"})
        function = self.handle("GET", f"{url}/representation/{service}/compute")
        kwargs = {"microprotocol": "SecureSum", "data": INPUTS[me], "network": network(me, token=shared)}
        result = self.handle("PATCH", f"{url}/representation/{function}", kwargs)
        status, _, answer = raw("GET", f"{url}/representation/{result}", {"ignore": "this"})
        self.assertEqual((status, answer["type"]), (200, "object"))
        return answer["object"]

    def test_null_arguments_and_scalar_data(self):
        shared = token()
        self.assertEqual(together(*(lambda me=me: self.party(me, shared) for me in range(3))), [RESULT] * 3)


if __name__ == "__main__":
    unittest.main()
