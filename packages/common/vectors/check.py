"""Makes the vectors of secret-hash.json again, with nothing but Python's own library."""

import base64, hashlib, hmac, json, pathlib

vectors = json.load(open(pathlib.Path(__file__).with_name("secret-hash.json")))
digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
def base62(data, width):
    number, text = int.from_bytes(data, "big"), ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = digits[digit] + text
    return text
for secret in vectors["secrets"]:
    body = "dks_" + secret["kid"] + "_" + base62(bytes.fromhex(secret["random"]), 43)
    checksum = base62(hashlib.sha256(body.encode()).digest()[:4], 6)
    assert secret["client_secret"] == body + "_" + checksum
client = vectors["client"]
key = client["client_secret"].encode()
for day in vectors["day"]:
    message = (day["date"] + " " + client["salt"]).encode()
    assert hmac.new(key, message, "sha256").hexdigest() == day["day_key"]
for day in vectors["seed"]:
    year, month, date = day["date"].split("-")
    message = (month + "/" + date + "/" + year + " " + client["salt"]).encode()
    assert hmac.new(key, message, "sha1").hexdigest() == day["client_secret_hash"]
# RFC 5869 with one block, and RFC 8032's public key of a seed.
p = 2**255 - 19
d = -121665 * pow(121666, p - 2, p) % p
def add(a, b):
    product = d * a[0] * b[0] * a[1] * b[1] % p
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, p - 2, p)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, p - 2, p)
    return x % p, y % p
base = (15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960)
def public_key(seed):
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    scalar, point, sum = int.from_bytes(digest, "little"), base, (0, 1)
    for bit in range(255):
        if scalar >> bit & 1:
            sum = add(sum, point)
        point = add(point, point)
    return (sum[1] | (sum[0] & 1) << 255).to_bytes(32, "little")
def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
for day in vectors["day_key_proof"]:
    extracted = hmac.new(bytes(32), bytes.fromhex(day["day_key"]), "sha256").digest()
    seed = hmac.new(extracted, b"daykey-dpop-v1" + bytes([1]), "sha256").digest()
    assert seed.hex() == day["seed"]
    x = base64url(public_key(seed))
    assert x == day["x"]
    jwk = '{"crv":"Ed25519","kty":"OKP","x":"' + x + '"}'
    assert base64url(hashlib.sha256(jwk.encode()).digest()) == day["jkt"]
