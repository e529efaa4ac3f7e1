#!/bin/sh
# SecureSum with nothing but curl: three parties, each with its own node, learn 157 and not one another's number.
#
#     fsc serve --listen 127.0.0.1:8001 &     (likewise 8002, 8003)
#     sh examples/secure_sum.sh http://127.0.0.1:8001 http://127.0.0.1:8002 http://127.0.0.1:8003
set -eu

# Every request has a time limit, and a refusal ends the party with curl's word on it.
ask() { curl --silent --show-error --fail --max-time 30 --header 'Content-Type: application/json' "$@"; }

# The handle in an answer like {"type":"uuid","uuid":"…"}.
handle() { sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p' | grep .; }

# party NODE PLACE NUMBER: create → attribute → call → download, one request each.
party() {
    simon=$(ask "$1/representations" --data '{"args": [], "kwargs": {"protocol": "Simon"}}' | handle)
    compute=$(ask "$1/representation/$simon/compute" | handle)
    result=$(ask --request PATCH "$1/representation/$compute" --data '{"args": [], "kwargs": {
        "microprotocol": "SecureSum", "data": ['"$3"'],
        "network": {"nodes": ['"$nodes"'], "uuid": "'"$token"'", "myself": '"$2"'}}}' | handle)
    learned=$(ask "$1/representation/$result")
    echo "party $2 learns $learned"
}

# What the parties agree on beforehand: who takes part, and a name for this computation.
nodes="\"$1\", \"$2\", \"$3\""
token="curl-example-$$-$(date +%s)"

party "$1" 0 42 & first=$!
party "$2" 1 16 & second=$!
party "$3" 2 99 & third=$!
wait "$first"
wait "$second"
wait "$third"
