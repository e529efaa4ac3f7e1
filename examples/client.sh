#!/bin/sh
# A client in plain curl: `sh client.sh http://127.0.0.1:8001`, with a node there (`fsc serve --listen 127.0.0.1:8001`).
# Every object on the node is a handle; a handle has attributes, can be called, downloaded, and released.
set -eu
node=$1

ask() { curl --silent --show-error --fail-with-body "$@"; }
handle() { sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p'; }

echo "What the node offers:"
ask "$node/representations"
echo

# create, then attribute, then call: a storage named "curl"
service=$(ask "$node/representations" --json '{"args": [], "kwargs": {"microservice": "KeyValueStorage"}}' | handle)
create=$(ask "$node/representation/$service/create" | handle)
storage=$(ask --request PATCH "$node/representation/$create" --json '{"args": ["curl"], "kwargs": {}}' | handle)

# store a value, and another one that was uploaded before: a handle may stand for any argument
upload=$(ask --request PUT "$node/representations" --json '{"args": [[1, 2.5, 3]], "kwargs": {}}' | handle)
store=$(ask "$node/representation/$storage/store" | handle)
ask --request PATCH "$node/representation/$store" --json '{"args": ["word", "hello"], "kwargs": {}}' >/dev/null
ask --request PATCH "$node/representation/$store" \
    --json '{"args": [], "kwargs": {"key": "list", "value": {"representation_uuid": "'"$upload"'"}}}' >/dev/null

retrieve=$(ask "$node/representation/$storage/retrieve" | handle)
value=$(ask --request PATCH "$node/representation/$retrieve" --json '{"args": ["list"], "kwargs": {}}' | handle)
echo "Downloaded:"
ask "$node/representation/$value"
echo

# release what is not needed any more; what is forgotten ends with its lease
for object in "$service" "$create" "$storage" "$upload" "$store" "$retrieve" "$value"; do
    ask --request DELETE "$node/representation/$object" >/dev/null
done

echo "The same in one round trip:"
ask "$node/chain" --json '{"chain": [
    {"create": {"microservice": "KeyValueStorage"}},
    {"attribute": "create"}, {"call": {"args": ["curl"], "kwargs": {}}},
    {"attribute": "retrieve"}, {"call": {"args": ["word"], "kwargs": {}}},
    {"download": null}]}'
echo
