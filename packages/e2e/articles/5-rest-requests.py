# Article 5, "How to authenticate REST requests": the hash of date and salt buys a token at /tokens,
# which goes along in X-PA-AUTH-TOKEN. In Python 3, with another address and credential.
import hmac
import os
from datetime import datetime, timezone
from hashlib import sha1, sha256

import requests

client_id = os.environ['CLIENT_ID']
client_secret = os.environ['CLIENT_SECRET']
salt = os.environ['SALT']


def hashed(date_format, algorithm):
  salted = datetime.now(timezone.utc).strftime(date_format) + ' ' + salt
  return hmac.new(client_secret.encode(), salted.encode(), algorithm).hexdigest()


def show(what, response):
  print(f"{what}: {response.status_code} {response.text}")


# A wrong hash first, and none.
for data in ({'client_id': client_id, 'client_secret_hash': '0' * 40}, {'client_id': client_id}):
  show("refused", requests.post(os.environ['ISSUER'] + '/tokens', json=data))

# (A), (B): the authorization grant request, with the article's SHA-1.
token = hashed('%m/%d/%Y', sha1)
response = requests.post(
  os.environ['ISSUER'] + '/tokens', json={'client_id': client_id, 'client_secret_hash': token})
envelope = response.json()
print(response.status_code, envelope['status'], envelope['err_code'], sorted(envelope['data']))

# (C), (D): the protected resource.
headers = {'X-PA-AUTH-TOKEN': envelope['data']['token']}
r = requests.get(url=os.environ['ADDRESS'] + '/time', data={}, headers=headers)
print(r.status_code, sorted(r.json()))

# (G), (H): a refresh token comes with the day form, and is used with it.
token = hashed('%Y-%m-%d', sha256)
proof = {'client_id': client_id, 'client_secret_hash': token}
envelope = requests.post(os.environ['ISSUER'] + '/tokens', json=proof).json()
response = requests.post(os.environ['ISSUER'] + '/oauth2/token', data={
  'grant_type': 'refresh_token', 'refresh_token': envelope['data']['refresh_token'], **proof})
headers = {'X-PA-AUTH-TOKEN': response.json()['access_token']}
r = requests.get(url=os.environ['ADDRESS'] + '/time', data={}, headers=headers)
print("refreshed:", response.status_code, r.status_code)
