#!/bin/sh
# Article 1, "Add an authentication header": its two requests, with another address and key.
set -eu

# First without the header, then with it.
curl -sS -i "$ADDRESS"
echo
curl -sS -i -H "x-api-key: $API_KEY" "$ADDRESS"
echo
