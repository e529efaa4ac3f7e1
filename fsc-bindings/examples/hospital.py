"""A hospital's program in Python, by the client of the reference: python hospital.py PLACE URL URL URL -- AGE AGE AGE"""
import json
import sys

from federatedsecure.client import Api

divide = sys.argv.index("--")
place, nodes, ages = int(sys.argv[1]), sys.argv[2:divide], [float(age) for age in sys.argv[divide + 1:]]
api = Api(nodes[place])
network = {"nodes": nodes, "myself": place, "uuid": "ages"}
result = api.create(protocol="Simon").compute(microprotocol="SecureSum", data=ages, network=network)
print(json.dumps(api.download(result)))
