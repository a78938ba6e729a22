# Article 4, "How to authenticate requests in Python": each of its ways, with what serves it here.
import base64
import hashlib
import hmac
import json
import os
import subprocess
import time
import uuid
from datetime import datetime, timezone

import requests

issuer = os.environ['ISSUER']
address = os.environ['ADDRESS']
client_id = os.environ['CLIENT_ID']
client_secret = os.environ['CLIENT_SECRET']
salt = os.environ['SALT']
private_key = os.environ['PRIVATE_KEY']

token_endpoint = issuer + '/oauth2/token'


def show(way, response):
  print(f"{way}: {response.status_code} {sorted(response.json())}")


# Basic: the user name is the client, the password its secret. Here it buys a token.
response = requests.post(
  token_endpoint, auth=(client_id, client_secret), data={'grant_type': 'client_credentials'})
show("Basic", response)

# Digest: not served. Its MD5 needs a password, or what is as good as one, in the server's database;
# the hash below does its work with neither.
print("Digest: not served")

# OAuth: as requests_oauthlib does it, by discovery and client credentials.
metadata = requests.get(issuer + '/.well-known/oauth-authorization-server').json()
token = requests.post(metadata['token_endpoint'], data={
  'grant_type': 'client_credentials',
  'client_id': client_id,
  'client_secret': client_secret,
  'scope': 'time:read',
}).json()
response = requests.get(
  address + '/time', headers={'Authorization': f"Bearer {token['access_token']}"})
show("OAuth", response)


# JSON Web Token: the client signs one with its own private key; a key that both sides share would let
# either make the other's. It proves the client at the token endpoint (private_key_jwt).
def base64url(data):
  return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def encode_jwt(claims):
  header = {'alg': 'RS256', 'typ': 'client-authentication+jwt'}
  text = '.'.join(base64url(json.dumps(part).encode()) for part in (header, claims))
  signature = subprocess.run(
    ['openssl', 'dgst', '-sha256', '-sign', private_key],
    input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
  return text + '.' + base64url(signature)


now = int(time.time())
assertion = encode_jwt({
  'iss': client_id, 'sub': client_id, 'aud': issuer, 'jti': str(uuid.uuid4()),
  'iat': now, 'exp': now + 60,
})
response = requests.post(token_endpoint, data={
  'grant_type': 'client_credentials',
  'client_assertion_type': 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  'client_assertion': assertion,
})
show("JSON Web Token", response)
token = response.json()['access_token']
response = requests.get(address + '/time', headers={'Authorization': f'Bearer {token}'})
show("  and with what it bought", response)

# HMAC: of the date and the salt under the secret. It is the hash of the client secret.
message = f'{datetime.now(timezone.utc):%Y-%m-%d} {salt}'
signature = hmac.new(client_secret.encode(), message.encode(), hashlib.sha256).hexdigest()
response = requests.post(token_endpoint, data={
  'grant_type': 'client_credentials', 'client_id': client_id, 'client_secret_hash': signature})
show("HMAC", response)
