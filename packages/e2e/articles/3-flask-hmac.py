# Article 3, "Flask-HMAC": its clients' calls, with another address and key. The class has of the
# article's package what a client uses.
import base64
import hashlib
import hmac as hmac_of
import json
import os

import requests


class Hmac:
  header = 'Signature'
  keys = {os.environ['SERVICE']: os.environ['HMAC_KEY']}

  def make_hmac(self, data='', key=None):
    token = hmac_of.new(key.encode(), data.encode(), hashlib.sha256).digest()
    return base64.b64encode(token).decode()

  def make_hmac_for(self, name, data=''):
    token = f'{name}:{self.make_hmac(data, self.keys[name])}'
    return base64.b64encode(token.encode()).decode()


hmac = Hmac()
address = os.environ['ADDRESS']

# Call without payload
sig = hmac.make_hmac_for(os.environ['SERVICE'])  # generate signature
response = requests.get(
    address + '/time',
    headers={hmac.header: sig}
)
print("without payload:", response.status_code)

# Call with payload
data = json.dumps({'foo': 'boo'})

sig = hmac.make_hmac_for(os.environ['SERVICE'], data)  # generate signature
response = requests.post(
    address + '/get-current-time',
    data=data,
    headers={hmac.header: sig}
)
print("with payload:", response.status_code)

# The same signature for another payload
response = requests.post(
    address + '/get-current-time',
    data=json.dumps({'foo': 'bar'}),
    headers={hmac.header: sig}
)
print("with another payload:", response.status_code)
