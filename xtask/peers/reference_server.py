#!/usr/bin/env python3
"""A web front for the Python reference's bus (PyPI: federatedsecure-server, federatedsecure-simon, flask).

    python reference_server.py [PORT]

Serves the seven operations over Flask's threaded server, on a port of the system's choice unless told otherwise, and
prints one line `listening on http://HOST:PORT` when ready, as `fsc serve` does. For side-by-side measurements only.
"""
import logging
import sys

from federatedsecure.server.bus import Bus
from federatedsecure.server.exceptions import ApiError
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

app = Flask(__name__)
bus = Bus()


def answer(kind, value=None):
    return jsonify({"type": kind} if value is None else {"type": kind, kind: value})


@app.errorhandler(Exception)
def failed(error):
    code = error.statuscode if isinstance(error, ApiError) else 500
    return jsonify({"code": code, "message": str(error)}), code


@app.get("/representations")
def listing():
    return answer("list", bus.list_representations())


@app.post("/representations")
def create():
    return answer("uuid", bus.create_representation(request.get_json(force=True)))


@app.put("/representations")
def upload():
    return answer("uuid", bus.upload_representation(request.get_json(force=True)))


@app.patch("/representation/<handle>")
def call(handle):
    result = bus.call_representation(handle, request.get_json(force=True))
    return answer("none") if result is None else answer("uuid", result)


@app.get("/representation/<handle>")
def download(handle):
    # An object that is null has its key all the same.
    return jsonify({"type": "object", "object": bus.download_representation(handle)})


@app.delete("/representation/<handle>")
def release(handle):
    bus.release_representation(handle)
    return answer("none")


@app.get("/representation/<handle>/<name>")
def attribute(handle, name):
    return answer("uuid", bus.create_attribute(handle, name, public=True))


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, app, threaded=True)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
