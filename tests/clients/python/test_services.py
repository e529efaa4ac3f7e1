"""KeyValueStorage, Barrier and Broadcast, with the reference's semantics."""
import unittest

from federation import URLS, Api, NodeTest, only_ours, together, token


class Service(NodeTest):
    """One service at one node, and what it answers as plain values."""

    def service(self, name):
        self.api = Api(URLS[0])
        return self.api.create(namespace="federatedsecure", microservice=name)

    def value(self, handle):
        self.assertIsNotNone(handle)
        return self.api.download(handle)


class KeyValueStorage(Service):
    def setUp(self):
        self.name = token()
        self.storages = self.service("KeyValueStorage")
        self.storage = self.storages.create(storage=self.name)

    def test_what_is_stored_is_retrieved(self):
        self.assertIsNone(self.storage.store(key="k", value={"a": [1, 2.5, None]}))
        self.assertEqual(self.value(self.storage.retrieve(key="k")), {"a": [1, 2.5, None]})

    def test_arguments_may_be_positional(self):
        storage = self.storages.create(self.name)
        self.assertIsNone(storage.store("k", "v"))
        self.assertEqual(self.value(storage.retrieve("k")), "v")
        self.assertIs(self.value(storage.exists("k")), True)

    def test_storing_again_replaces(self):
        self.storage.store(key="k", value=1)
        self.storage.store(key="k", value=2)
        self.assertEqual(self.value(self.storage.retrieve(key="k")), 2)

    def test_an_unknown_key_retrieves_nothing(self):
        self.assertIsNone(self.storage.retrieve(key="unknown"))

    def test_exists_tells(self):
        self.storage.store(key="k", value=0)
        self.assertIs(self.value(self.storage.exists(key="k")), True)
        self.assertIs(self.value(self.storage.exists(key="unknown")), False)

    def test_a_deleted_key_is_gone(self):
        self.storage.store(key="k", value=1)
        self.assertIsNone(self.storage.delete(key="k"))
        self.assertIs(self.value(self.storage.exists(key="k")), False)

    @only_ours
    def test_deleting_an_unknown_key_is_not_found(self):
        self.assert_refused(404, self.storage.delete, key="unknown")

    def test_create_finds_the_storage_of_that_name(self):
        self.storage.store(key="k", value=1)
        self.assertEqual(self.value(self.storages.create(storage=self.name).retrieve(key="k")), 1)
        self.assertIsNone(self.storages.create(storage=self.name + " other").retrieve(key="k"))

    @only_ours
    def test_create_without_a_name_is_the_default_storage(self):
        key = token()
        self.storages.create().store(key=key, value=1)
        self.assertEqual(self.value(self.storages.create(storage="default").retrieve(key=key)), 1)

    def test_a_deleted_storage_starts_empty(self):
        self.storage.store(key="k", value=1)
        self.assertIsNone(self.storages.delete(storage=self.name))
        self.assertIsNone(self.storages.create(storage=self.name).retrieve(key="k"))


class Barrier(Service):
    def setUp(self):
        self.name = token()
        self.barriers = self.service("Barrier")
        self.barrier = self.barriers.create(uuid=self.name)

    def counts(self):
        return self.value(self.barrier.arrived()), self.value(self.barrier.departed())

    def test_a_party_arrives_once(self):
        self.assertEqual(self.counts(), (0, 0))
        self.assertIsNone(self.barrier.arrive(party=0))
        self.barrier.arrive(party=0)
        self.assertEqual(self.counts(), (1, 0))
        self.barrier.arrive(party=1)
        self.assertEqual(self.counts(), (2, 0))

    def test_departing_leaves_the_arrivals(self):
        self.barrier.arrive(party=0)
        self.assertIsNone(self.barrier.depart(party=0))
        self.assertEqual(self.counts(), (1, 1))

    def test_an_arrival_resets_the_departures(self):
        self.barrier.arrive(party=0)
        self.barrier.depart(party=0)
        self.barrier.arrive(party=1)
        self.assertEqual(self.counts(), (2, 0))

    def test_reset_forgets_the_arrivals_only(self):
        self.barrier.arrive(party=0)
        self.barrier.depart(party=0)
        self.assertIsNone(self.barrier.reset())
        self.assertEqual(self.counts(), (0, 1))

    def test_create_finds_the_barrier_of_that_uuid(self):
        self.barriers.create(uuid=self.name).arrive(party=7)
        self.assertEqual(self.counts(), (1, 0))

    def test_a_deleted_barrier_starts_empty(self):
        self.barrier.arrive(party=0)
        self.assertIsNone(self.barriers.delete(uuid=self.name))
        self.assertEqual(self.value(self.barriers.create(uuid=self.name).arrived()), 0)

    def test_three_clients_meet(self):
        def meet(me):
            api = Api(URLS[0])
            barrier = api.create(plugin="Sync", microservice="Barrier").create(uuid=self.name)
            barrier.arrive(party=me)
            for _ in range(1000):
                if api.download(barrier.arrived()) >= 3:
                    return "met"
            return "alone"

        self.assertEqual(together(*(lambda me=me: meet(me) for me in range(3))), ["met"] * 3)


class Broadcast(Service):
    def setUp(self):
        self.name = token()
        self.broadcast = self.service("Broadcast")

    def test_before_a_message_there_is_nothing_to_receive(self):
        self.assertIsNone(self.broadcast.receive(uuid=self.name))
        self.assertIsNone(self.broadcast.create(uuid=self.name))
        self.assertIsNone(self.broadcast.receive(uuid=self.name))

    def test_everybody_receives_the_last_message(self):
        self.assertIsNone(self.broadcast.send(uuid=self.name, message="first"))
        self.broadcast.send(uuid=self.name, message={"last": [1, 2]})
        for _ in range(3):
            self.assertEqual(self.value(self.broadcast.receive(uuid=self.name)), {"last": [1, 2]})

    def test_create_clears_the_message(self):
        self.broadcast.send(uuid=self.name, message="old")
        self.broadcast.create(uuid=self.name)
        self.assertIsNone(self.broadcast.receive(uuid=self.name))

    def test_a_deleted_broadcast_is_silent(self):
        self.broadcast.send(uuid=self.name, message="old")
        self.assertIsNone(self.broadcast.delete(uuid=self.name))
        self.assertIsNone(self.broadcast.receive(uuid=self.name))

    @only_ours
    def test_deleting_an_unknown_broadcast_is_not_found(self):
        self.assert_refused(404, self.broadcast.delete, uuid=self.name)


# The base has no test of its own.
del Service

if __name__ == "__main__":
    unittest.main()
