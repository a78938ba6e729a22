"""The MCP SDK as a client: it finds the auth-server from the answer 401 of /time. Both lines run this."""

import asyncio
from importlib.metadata import version

from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)

from outcome import WORLD, attempt, expect_ok

MAJOR = version("mcp").split(".", maxsplit=1)[0]
if MAJOR == "1":
    import httpx
else:
    import httpx2 as httpx

ISSUER = WORLD["issuer"]
TIME = f"{WORLD['resource']}/time"


class Memory:
    """The SDK asks for a place to keep its tokens."""

    tokens = None
    client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


async def call_time(provider):
    async with httpx.AsyncClient(auth=provider) as client:
        expect_ok(await client.get(TIME))


def by_secret(client, method):
    def run():
        provider = ClientCredentialsOAuthProvider(
            server_url=TIME,
            storage=Memory(),
            client_id=client["client_id"],
            client_secret=client["client_secret"],
            token_endpoint_auth_method=method,
            issuer=ISSUER,
        )
        asyncio.run(call_time(provider))

    return run


# recipe: MCP SDK 1 for Python with private_key_jwt
def for_issuer(issuer, assertion_provider):
    """This line gives the provider the issuer with a slash added: give it the issuer itself."""

    async def provider(_audience):
        return await assertion_provider(issuer)

    return provider
# end of recipe


def by_key(algorithm, adapt=lambda provider: provider):
    def run():
        client_id = WORLD["key_client"]["client_id"]
        parameters = SignedJWTParameters(
            issuer=client_id,
            subject=client_id,
            signing_key=WORLD["key_client"]["keys"][algorithm]["pem"],
            signing_algorithm=algorithm,
        )
        provider = PrivateKeyJWTOAuthProvider(
            server_url=TIME,
            storage=Memory(),
            client_id=client_id,
            assertion_provider=adapt(parameters.create_assertion_provider()),
            issuer=ISSUER,
        )
        asyncio.run(call_time(provider))

    return run


SDK = (f"MCP SDK {MAJOR} (Python)", "mcp")
attempt(*SDK, "RFC 8414 discovery", by_secret(WORLD["demo"], "client_secret_basic"))
attempt(*SDK, "client_secret_basic", by_secret(WORLD["one_scope"], "client_secret_basic"))
attempt(*SDK, "client_secret_post", by_secret(WORLD["one_scope"], "client_secret_post"))
for algorithm in ("ES256", "RS256"):
    attempt(*SDK, "private_key_jwt", by_key(algorithm))
    if MAJOR == "1":
        attempt(
            *SDK,
            "private_key_jwt",
            by_key(algorithm, lambda provider: for_issuer(ISSUER, provider)),
            "an `assertion_provider` that is given the issuer without a slash at its end",
        )
