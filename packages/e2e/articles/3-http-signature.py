# Article 3 done right: the same idea as an HTTP Message Signature (RFC 9421), which covers method,
# address, query and body, and works once.
import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from urllib.parse import urlsplit

import requests

address = os.environ['ADDRESS']
key_id = os.environ['SERVICE']
key = base64.urlsafe_b64decode(os.environ['HMAC_KEY'] + '==')


def sign(method, url, body=None, headers=None):
  url = urlsplit(url)
  headers = dict(headers or {})
  covered = {
    '@method': method,
    '@authority': url.netloc,
    '@path': url.path,
    '@query': '?' + url.query,
  }
  if body is not None:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    covered['content-digest'] = headers['Content-Digest'] = f'sha-256=:{digest}:'
  names = ' '.join(f'"{name}"' for name in covered)
  parameters = f'({names});created={int(time.time())};keyid="{key_id}";nonce="{uuid.uuid4().hex}"'
  lines = [f'"{name}": {value}' for name, value in covered.items()]
  base = '\n'.join([*lines, f'"@signature-params": {parameters}'])
  signature = base64.b64encode(hmac.new(key, base.encode(), hashlib.sha256).digest()).decode()
  return {**headers, 'Signature-Input': f'sig={parameters}', 'Signature': f'sig=:{signature}:'}


url = address + '/time?zone=Europe/Paris'
headers = sign('GET', url)
print("without payload:", requests.get(url, headers=headers).status_code)
print("again:", requests.get(url, headers=headers).status_code)

url = address + '/primes'
data = json.dumps({'number': 97}).encode()
headers = sign('POST', url, data, {'Content-Type': 'application/json'})
print("with another payload:", requests.post(url, data=data[:-1] + b' }', headers=headers).status_code)
response = requests.post(url, data=data, headers=headers)
print("with payload:", response.status_code, response.json()['prime'])
