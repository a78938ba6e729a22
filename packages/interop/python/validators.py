"""PyJWT, joserfc and Authlib as validators of access tokens."""

import jwt
from authlib.jose import JsonWebKey, JsonWebToken
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from outcome import WORLD, try_validator
import httpx

# The names by which libraries know the algorithm of Ed25519 keys; RFC 9864 calls it Ed25519.
ALGORITHMS = {"ES256": ["ES256"], "RS256": ["RS256"], "EdDSA": ["EdDSA"]}
KEY_SETS = {name: httpx.get(it["jwks_uri"]).json() for name, it in WORLD["validation"].items()}


def pyjwt(algorithm):
    key_client = jwt.PyJWKClient(WORLD["validation"][algorithm]["jwks_uri"])

    def validate(samples, token):
        key = key_client.get_signing_key_from_jwt(token)
        jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS[algorithm],
            audience=samples["audience"],
            issuer=samples["issuer"],
        )

    return validate


def joserfc(algorithm):
    keys = KeySet.import_key_set(KEY_SETS[algorithm])

    def validate(samples, token):
        decoded = joserfc_jwt.decode(token, keys, algorithms=ALGORITHMS[algorithm])
        joserfc_jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": samples["issuer"]},
            aud={"essential": True, "value": samples["audience"]},
            exp={"essential": True},
        ).validate(decoded.claims)

    return validate


def authlib(algorithm):
    keys = JsonWebKey.import_key_set(KEY_SETS[algorithm])

    def validate(samples, token):
        JsonWebToken(ALGORITHMS[algorithm]).decode(
            token,
            keys,
            claims_options={
                "iss": {"essential": True, "value": samples["issuer"]},
                "aud": {"essential": True, "value": samples["audience"]},
                "exp": {"essential": True},
            },
        ).validate()

    return validate


for name in ALGORITHMS:
    try_validator("PyJWT", "PyJWT", pyjwt(name), name)
    try_validator("joserfc", "joserfc", joserfc(name), name)
    try_validator("Authlib", "Authlib", authlib(name), name)
