"""The seven operations, by the reference's own client."""
import unittest

from federation import URLS, Api, NodeTest, only_ours, raw

DESCRIPTIONS = [
    {"namespace": "federatedsecure", "protocol": "Simon", "version": "0.6.0"},
    {"namespace": "federatedsecure", "plugin": "Sync", "version": "0.6.0", "microservice": "Barrier"},
    {"namespace": "federatedsecure", "plugin": "Sync", "version": "0.6.0", "microservice": "Broadcast"},
    {"namespace": "federatedsecure", "plugin": "Util", "version": "0.6.0", "microservice": "KeyValueStorage"},
]


class Listing(NodeTest):
    def test_every_description_of_the_reference_is_listed(self):
        for url in URLS:
            listed = Api(url).list()
            for wanted in DESCRIPTIONS:
                self.assertTrue(any(wanted.items() <= found.items() for found in listed), f"{wanted} not in {listed}")

    def test_an_object_is_found_by_any_part_of_its_description(self):
        api = Api(URLS[0])
        for wanted in DESCRIPTIONS:
            self.assertTrue(api.create(**wanted)["representation_uuid"])
        self.assertTrue(api.create(microservice="KeyValueStorage")["representation_uuid"])

    def test_what_nothing_matches_is_not_found(self):
        self.assert_refused(404, Api(URLS[0]).create, protocol="NoSuchProtocol")
        self.assert_refused(404, Api(URLS[0]).create, protocol="Simon", microservice="Barrier")


class Handles(NodeTest):
    def setUp(self):
        self.api = Api(URLS[0])

    def test_an_upload_comes_back_as_it_was(self):
        values = [0, -1, 2**63, 2**100, -(2**100), 2.5, 1e-300, 0.1 + 0.2, True, None, "", "größer ≥ 🦀",
                  [], {}, [1.5, 2], [1, "a", [None, {"b": [False]}]], {"a": {"b": [1, 2, 3]}}]
        for value in values:
            with self.subTest(value=value):
                back = self.api.download(self.api.upload(value))
                self.assertEqual(repr(back), repr(value))

    def test_a_thousand_numbers_come_back_exactly(self):
        numbers = [((k * 2654435761) % 2**32 - 2**31) / 997 for k in range(1000)]
        self.assertEqual(self.api.download(self.api.upload(numbers)), numbers)

    @only_ours
    def test_a_released_handle_is_unknown(self):
        handle = self.api.upload("short-lived")
        self.api.release(handle["representation_uuid"])
        self.assert_refused(404, self.api.download, handle)
        self.assert_refused(404, self.api.release, handle["representation_uuid"])
        self.assert_refused(404, handle)
        self.assert_refused(404, getattr, handle, "anything")

    def test_a_released_handle_cannot_be_downloaded(self):
        handle = self.api.upload("short-lived")
        self.assertEqual(self.api.download(handle), "short-lived")
        self.assertIsNone(self.api.release(handle["representation_uuid"]))
        with self.assertRaises(Exception):
            self.api.download(handle)

    @only_ours
    def test_releasing_a_handle_leaves_the_service(self):
        service = self.api.create(protocol="Simon")
        self.api.release(service["representation_uuid"])
        self.assertTrue(self.api.create(protocol="Simon").compute["representation_uuid"])

    def test_a_handle_is_an_argument(self):
        storage = self.api.create(microservice="KeyValueStorage").create(storage="by handle")
        storage.store(key="answer", value=self.api.upload([4, 2]))
        self.assertEqual(self.api.download(storage.retrieve(key="answer")), [4, 2])

    @only_ours
    def test_a_handle_is_a_positional_argument_too(self):
        storage = self.api.create(microservice="KeyValueStorage").create("by handle")
        storage.store("answer", self.api.upload([4, 2]))
        self.assertEqual(self.api.download(storage.retrieve("answer")), [4, 2])

    def test_a_private_attribute_is_forbidden(self):
        service = self.api.create(protocol="Simon")
        self.assert_refused(403, self.api.attribute, service["representation_uuid"], "_private")
        self.assert_refused(403, self.api.attribute, service["representation_uuid"], "__class__")

    @only_ours
    def test_an_unknown_attribute_is_not_found(self):
        service = self.api.create(protocol="Simon")
        self.assert_refused(404, self.api.attribute, service["representation_uuid"], "no_such_attribute")

    @only_ours
    def test_a_service_cannot_be_downloaded(self):
        with self.assertRaises(Exception) as caught:
            self.api.download(self.api.create(protocol="Simon"))
        self.assertRegex(str(caught.exception), r"\t4\d\d\t")

    @only_ours
    def test_a_call_without_its_arguments_is_a_bad_request(self):
        self.assert_refused(400, self.api.create(protocol="Simon").compute)


class Bodies(NodeTest):
    @only_ours
    def test_null_arguments_are_no_arguments(self):
        status, _, answer = raw("POST", URLS[0] + "/representations", {"args": None, "kwargs": {"protocol": "Simon"}})
        self.assertEqual((status, answer["type"]), (200, "uuid"))

    def test_a_get_may_carry_a_body(self):
        status, _, answer = raw("GET", URLS[0] + "/representations", {"ignore": "this"})
        self.assertEqual((status, answer["type"]), (200, "list"))

    @only_ours
    def test_a_refusal_is_a_code_and_a_message(self):
        status, headers, answer = raw("GET", URLS[0] + "/representation/00000000-0000-4000-8000-000000000000")
        self.assertEqual(status, 404)
        self.assertEqual(sorted(answer), ["code", "message"])
        self.assertTrue(headers["Content-Type"].startswith("application/json"))


if __name__ == "__main__":
    unittest.main()
