"""A client of the reference computes on the data of patients.c: python ask_patients.py PLACE URL URL URL"""
import json
import sys

from federatedsecure.client import Api

place, nodes = int(sys.argv[1]), sys.argv[2:]
api = Api(nodes[place])
ages = api.create(microservice="Patients").column(name="age")
try:
    api.download(ages)
    sys.exit("the column could be downloaded")
except Exception as error:
    assert "403" in str(error), error
network = {"nodes": nodes, "myself": place, "uuid": "ages"}
simon = api.create(protocol="Simon")
print(json.dumps(api.download(simon.compute(microprotocol="SecureSum", data=ages, network=network))))
