"""Authlib, requests-oauthlib, httpx-auth and requests_oauth2client as clients."""

import os

import httpx
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from httpx_auth import OAuth2ClientCredentials
from joserfc.jwk import import_key
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth, PrivateKeyJwt
from requests_oauthlib import OAuth2Session

from outcome import WORLD, attempt, call_time, expect_ok

# What both libraries that use oauthlib ask for where the issuer is plain HTTP, as on loopback.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

ISSUER = WORLD["issuer"]
TOKEN_ENDPOINT = WORLD["token_endpoint"]
TIME = f"{WORLD['resource']}/time"
ID, SECRET = WORLD["demo"]["client_id"], WORLD["demo"]["client_secret"]
KEY_ID = WORLD["key_client"]["client_id"]
KEYS = WORLD["key_client"]["keys"]


def authlib(method):
    def run():
        session = AuthlibSession(ID, SECRET, token_endpoint_auth_method=method, scope="time:read")
        session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
        expect_ok(session.get(TIME))

    return run


def authlib_refresh():
    session = AuthlibSession(ID, SECRET)
    first = session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    call_time(session.refresh_token(TOKEN_ENDPOINT, first["refresh_token"])["access_token"])


def authlib_as_it_comes():
    session = AuthlibSession(
        KEY_ID, import_key(KEYS["RS256"]["pem"], "RSA"), token_endpoint_auth_method="private_key_jwt"
    )
    session.register_client_auth_method(PrivateKeyJWT(TOKEN_ENDPOINT))
    session.fetch_token(TOKEN_ENDPOINT, grant_type="client_credentials")
    expect_ok(session.get(TIME))


# recipe: Authlib with private_key_jwt
def authlib_session(issuer, client_id, private_key, alg):
    """The first argument of PrivateKeyJWT becomes the audience: give it the issuer."""
    session = AuthlibSession(client_id, private_key, token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(PrivateKeyJWT(issuer, alg=alg))
    session.fetch_token(f"{issuer}/oauth2/token", grant_type="client_credentials")
    return session
# end of recipe


def authlib_by_key(alg, kind):
    def run():
        key = import_key(KEYS[alg]["pem"], kind)
        name = "EdDSA" if alg == "Ed25519" else alg
        expect_ok(authlib_session(ISSUER, KEY_ID, key, name).get(TIME))

    return run


def oauthlib_basic():
    session = OAuth2Session(client=BackendApplicationClient(client_id=ID, scope=["time:read"]))
    session.fetch_token(TOKEN_ENDPOINT, client_id=ID, client_secret=SECRET)
    expect_ok(session.get(TIME))


def oauthlib_post():
    session = OAuth2Session(client=BackendApplicationClient(client_id=ID))
    session.fetch_token(TOKEN_ENDPOINT, client_secret=SECRET, include_client_id=True)
    expect_ok(session.get(TIME))


def oauthlib_refresh():
    auth = requests.auth.HTTPBasicAuth(ID, SECRET)
    session = OAuth2Session(client=BackendApplicationClient(client_id=ID))
    session.fetch_token(TOKEN_ENDPOINT, auth=auth)
    call_time(session.refresh_token(TOKEN_ENDPOINT, auth=auth)["access_token"])


def httpx_auth():
    auth = OAuth2ClientCredentials(TOKEN_ENDPOINT, ID, SECRET, scope="time:read")
    expect_ok(httpx.get(TIME, auth=auth))


# `testing` lets plain HTTP through, which loopback is.
def roc2(**auth):
    def run():
        client = OAuth2Client(TOKEN_ENDPOINT, testing=True, **auth)
        expect_ok(requests.get(TIME, auth=OAuth2ClientCredentialsAuth(client, scope="time:read")))

    return run


def roc2_discovery(url):
    def run():
        client = OAuth2Client.from_discovery_endpoint(
            url, issuer=ISSUER, auth=(ID, SECRET), testing=True
        )
        call_time(client.client_credentials(scope="time:read").access_token)

    return run


def roc2_refresh():
    client = OAuth2Client(TOKEN_ENDPOINT, testing=True, auth=(ID, SECRET))
    first = client.client_credentials()
    call_time(client.refresh_token(first.refresh_token).access_token)


def roc2_as_it_comes():
    method = PrivateKeyJwt(KEY_ID, KEYS["ES256"]["jwk"])
    client = OAuth2Client(TOKEN_ENDPOINT, auth=method, testing=True)
    call_time(client.client_credentials(scope="time:read").access_token)


# recipe: requests_oauth2client with private_key_jwt
def roc2_client(issuer, client_id, private_jwk, **options):
    """Without `aud` the library sends the token endpoint as the audience."""
    method = PrivateKeyJwt(client_id, private_jwk, aud=issuer)
    return OAuth2Client(f"{issuer}/oauth2/token", auth=method, **options)
# end of recipe


def roc2_by_key():
    client = roc2_client(ISSUER, KEY_ID, KEYS["ES256"]["jwk"], testing=True)
    call_time(client.client_credentials(scope="time:read").access_token)


def roc2_dpop():
    client = OAuth2Client(TOKEN_ENDPOINT, testing=True, auth=(ID, SECRET))
    token = client.client_credentials(scope="time:read", dpop=True)
    expect_ok(requests.get(TIME, auth=token))


def roc2_exchange():
    theirs = OAuth2Client(TOKEN_ENDPOINT, testing=True, auth=(ID, SECRET))
    agent = (WORLD["agent"]["client_id"], WORLD["agent"]["client_secret"])
    client = OAuth2Client(TOKEN_ENDPOINT, testing=True, auth=agent)
    token = client.token_exchange(subject_token=theirs.client_credentials())
    call_time(token.access_token)


AUTHLIB = ("Authlib", "Authlib")
attempt(*AUTHLIB, "client_secret_basic", authlib("client_secret_basic"))
attempt(*AUTHLIB, "client_secret_post", authlib("client_secret_post"))
attempt(*AUTHLIB, "private_key_jwt", authlib_as_it_comes)
for algorithm, kind in (("RS256", "RSA"), ("ES256", "EC"), ("Ed25519", "OKP")):
    attempt(
        *AUTHLIB,
        "private_key_jwt",
        authlib_by_key(algorithm, kind),
        "`PrivateKeyJWT(issuer)`: the issuer as the audience",
    )
attempt(*AUTHLIB, "refresh_token", authlib_refresh)

OAUTHLIB = ("requests-oauthlib", "requests-oauthlib")
attempt(*OAUTHLIB, "client_secret_basic", oauthlib_basic)
attempt(*OAUTHLIB, "client_secret_post", oauthlib_post)
attempt(*OAUTHLIB, "refresh_token", oauthlib_refresh)

attempt("httpx-auth", "httpx-auth", "client_secret_basic", httpx_auth)

ROC2 = ("requests_oauth2client", "requests_oauth2client")
for check, path in (
    ("RFC 8414 discovery", "oauth-authorization-server"),
    ("OpenID discovery", "openid-configuration"),
):
    attempt(*ROC2, check, roc2_discovery(f"{ISSUER}/.well-known/{path}"))
attempt(*ROC2, "client_secret_basic", roc2(auth=(ID, SECRET)))
attempt(*ROC2, "client_secret_post", roc2(client_id=ID, client_secret=SECRET))
attempt(*ROC2, "private_key_jwt", roc2_as_it_comes)
attempt(*ROC2, "private_key_jwt", roc2_by_key, "`PrivateKeyJwt(…, aud=issuer)`")
attempt(*ROC2, "refresh_token", roc2_refresh)
attempt(*ROC2, "DPoP", roc2_dpop)
attempt(*ROC2, "token exchange", roc2_exchange)
