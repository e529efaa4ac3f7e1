"""Any language that can call C can use the library. Here Python does by ctypes, as Julia, Go and C# would: python by_ctypes.py libfsc.so"""
import ctypes
import json
import sys
from ctypes import Structure, byref, c_char_p, c_double, c_int32, c_size_t, c_uint32, c_uint64


class Handle(Structure):
    """Every handle is one number in a structure, passed by value."""

    _fields_ = [("id", c_uint64)]


fsc = ctypes.CDLL(sys.argv[1])
fsc.fsc_abi_version.restype = c_uint32
assert fsc.fsc_abi_version() == 1, "another version of the interface"
fsc.fsc_error_message.restype = c_char_p
fsc.fsc_error_message.argtypes = [Handle]


def call(name, *arguments):
    """Calls a function whose last two arguments are where its answer and its error go."""
    function, answer, error = getattr(fsc, name), Handle(), Handle()
    function.restype = c_int32
    if function(*arguments, byref(answer), byref(error)) != 0:
        raise RuntimeError(fsc.fsc_error_message(error).decode())
    return answer


def do(name, *arguments):
    """Calls a function that has no answer."""
    error = Handle()
    if getattr(fsc, name)(*arguments, byref(error)) != 0:
        raise RuntimeError(fsc.fsc_error_message(error).decode())


def value(content):
    text = json.dumps(content).encode()
    return call("fsc_value_json", text, c_size_t(len(text)))


def array(numbers):
    memory, shape = (c_double * len(numbers))(*numbers), (c_size_t * 1)(len(numbers))
    return call("fsc_value_f64", memory, None, shape, c_size_t(1))


def content(handle):
    text, length, error = c_char_p(), c_size_t(), Handle()
    assert fsc.fsc_value_to_json(handle, byref(text), byref(length), byref(error)) == 0
    return json.loads(ctypes.string_at(text, length.value))


nothing, tasks = Handle(), []
names = [b"a", b"b", b"c"]
for place, (name, ages) in enumerate(zip(names, ([34, 71, 52], [66, 43, 58], [29, 80, 61]))):
    node = call("fsc_node_new", name, None, c_size_t(0), c_int32(0))
    do("fsc_node_start", node)
    client = call("fsc_node_client", node, None)
    simon = call("fsc_client_create", client, value({"protocol": "Simon"}), None)
    compute = call("fsc_object_attribute", simon, b"compute", None)
    network = {"nodes": ["local:a", "local:b", "local:c"], "myself": place, "uuid": "ages"}
    public = value({"microprotocol": "SecureSum", "network": network, "wait": place == 2})
    tasks.append(call("fsc_object_call", compute, nothing, call("fsc_value_with", public, b"data", array(ages)), None))
# The last one has waited, so there is a result.
print(json.dumps(content(call("fsc_object_download", tasks[2], None))))
do("fsc_shutdown")
