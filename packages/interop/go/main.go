// Go libraries as clients of Daykey and as validators of its tokens.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	zitadel "github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadeloidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	xOAuth2   = "golang.org/x/oauth2"
	goOIDC    = "github.com/coreos/go-oidc"
	golangJWT = "github.com/golang-jwt/jwt"
	zitadelRP = "github.com/zitadel/oidc"
	goSPIFFE  = "github.com/spiffe/go-spiffe"
)

var algorithms = []string{"ES256", "RS256", "EdDSA"}

func main() {
	content, err := os.ReadFile(os.Getenv("DAYKEY_INTEROP_WORLD"))
	if err != nil {
		panic(err)
	}
	var world World
	if err := json.Unmarshal(content, &world); err != nil {
		panic(err)
	}
	ctx := context.Background()
	tryXOAuth2(ctx, world)
	tryGoOIDC(ctx, world)
	tryZitadel(ctx, world)
	tryGolangJWT(ctx, world)
	trySPIFFE(ctx, world)
}

// trySPIFFE has the library judge the SVID, and sends what it judged. The library has no function for
// that.
func trySPIFFE(ctx context.Context, world World) {
	attempt(goSPIFFE, "jwt_spiffe", "", func() error {
		domain, err := spiffeid.TrustDomainFromString(world.Spiffe.TrustDomain)
		if err != nil {
			return err
		}
		bundle, err := jwtbundle.Parse(domain, []byte(world.Spiffe.Bundle))
		if err != nil {
			return err
		}
		svid, err := jwtsvid.ParseAndValidate(world.Spiffe.SVID, bundle, []string{world.Issuer})
		if err != nil {
			return err
		}
		if svid.ID.String() != world.Spiffe.ID {
			return errors.New("another workload: " + svid.ID.String())
		}
		config := clientcredentials.Config{
			TokenURL:  world.TokenEndpoint,
			AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"},
				"client_assertion":      {svid.Marshal()},
			},
		}
		return callTime(config.Client(ctx), world)
	})
}

func tryXOAuth2(ctx context.Context, world World) {
	bySecret := func(style oauth2.AuthStyle) func() error {
		return func() error {
			config := clientcredentials.Config{
				ClientID:     world.Demo.ClientID,
				ClientSecret: world.Demo.ClientSecret,
				TokenURL:     world.TokenEndpoint,
				Scopes:       []string{"time:read"},
				AuthStyle:    style,
			}
			return callTime(config.Client(ctx), world)
		}
	}
	attempt(xOAuth2, "client_secret_basic", "", bySecret(oauth2.AuthStyleAutoDetect))
	attempt(xOAuth2, "client_secret_post", "", bySecret(oauth2.AuthStyleInParams))
	attempt(xOAuth2, "refresh_token", "", func() error {
		first, err := (&clientcredentials.Config{
			ClientID:     world.Demo.ClientID,
			ClientSecret: world.Demo.ClientSecret,
			TokenURL:     world.TokenEndpoint,
		}).Token(ctx)
		if err != nil {
			return err
		}
		config := oauth2.Config{
			ClientID:     world.Demo.ClientID,
			ClientSecret: world.Demo.ClientSecret,
			Endpoint:     oauth2.Endpoint{TokenURL: world.TokenEndpoint},
		}
		first.Expiry = time.Unix(1, 0)
		return callTime(config.Client(ctx, first), world)
	})
}

// What validates an access token has the client's id in place of an audience by OpenID's rules, so
// the resource's URI is given as that.
func tryGoOIDC(ctx context.Context, world World) {
	attempt(goOIDC, "OpenID discovery", "", func() error {
		provider, err := oidc.NewProvider(ctx, world.Issuer)
		if err != nil {
			return err
		}
		config := clientcredentials.Config{
			ClientID:     world.Demo.ClientID,
			ClientSecret: world.Demo.ClientSecret,
			TokenURL:     provider.Endpoint().TokenURL,
		}
		return callTime(config.Client(ctx), world)
	})
	for _, algorithm := range algorithms {
		samples := world.Validation[algorithm]
		attempt(goOIDC, algorithm, "", func() error {
			provider, err := oidc.NewProvider(ctx, samples.Issuer)
			if err != nil {
				return err
			}
			verifier := provider.Verifier(&oidc.Config{ClientID: samples.Audience})
			return tryValidator(samples, func(token string) error {
				_, err := verifier.Verify(ctx, token)
				return err
			})
		})
	}
}

func tryZitadel(ctx context.Context, world World) {
	relyingParty := func(style oauth2.AuthStyle) (rp.RelyingParty, error) {
		return rp.NewRelyingPartyOIDC(ctx, world.Issuer, world.Demo.ClientID,
			world.Demo.ClientSecret, "", []string{"time:read"}, rp.WithAuthStyle(style))
	}
	bySecret := func(style oauth2.AuthStyle) func() error {
		return func() error {
			party, err := relyingParty(style)
			if err != nil {
				return err
			}
			token, err := rp.ClientCredentials(ctx, party, nil)
			if err != nil {
				return err
			}
			return callTime(oauth2.NewClient(ctx, oauth2.StaticTokenSource(token)), world)
		}
	}
	attempt(zitadelRP, "OpenID discovery", "", bySecret(oauth2.AuthStyleAutoDetect))
	attempt(zitadelRP, "client_secret_basic", "", bySecret(oauth2.AuthStyleInHeader))
	attempt(zitadelRP, "client_secret_post", "", bySecret(oauth2.AuthStyleInParams))
	for _, algorithm := range []string{"ES256", "RS256", "Ed25519"} {
		key := world.KeyClient.Keys[algorithm]
		attempt(zitadelRP, "private_key_jwt", "the assertion, which `rp.ClientCredentials` does not send by itself, as its parameters", func() error {
			token, err := zitadelToken(ctx, world.Issuer, world.KeyClient.ClientID, key.Kid, []byte(key.Pem))
			if err != nil {
				return err
			}
			return callTime(oauth2.NewClient(ctx, oauth2.StaticTokenSource(token)), world)
		})
	}
	attempt(zitadelRP, "refresh_token", "", func() error {
		party, err := relyingParty(oauth2.AuthStyleInHeader)
		if err != nil {
			return err
		}
		first, err := rp.ClientCredentials(ctx, party, nil)
		if err != nil {
			return err
		}
		refreshed, err := rp.RefreshTokens[*zitadeloidc.IDTokenClaims](ctx, party, first.RefreshToken, "", "")
		if err != nil {
			return err
		}
		return callTime(oauth2.NewClient(ctx, oauth2.StaticTokenSource(refreshed.Token)), world)
	})
}

// recipe: zitadel/oidc with private_key_jwt

// zitadelToken signs the assertion itself, because rp.ClientCredentials sends none. AuthStyleInParams
// keeps an empty secret out of the request.
func zitadelToken(ctx context.Context, issuer, clientID, keyID string, key []byte) (*oauth2.Token, error) {
	party, err := rp.NewRelyingPartyOIDC(ctx, issuer, clientID, "", "", nil,
		rp.WithAuthStyle(oauth2.AuthStyleInParams),
		rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(key, keyID)))
	if err != nil {
		return nil, err
	}
	assertion, err := zitadel.SignedJWTProfileAssertion(clientID, []string{issuer}, time.Hour, party.Signer())
	if err != nil {
		return nil, err
	}
	return rp.ClientCredentials(ctx, party, url.Values{
		"client_assertion":      {assertion},
		"client_assertion_type": {zitadeloidc.ClientAssertionTypeJWTAssertion},
	})
}

// end of recipe

func tryGolangJWT(ctx context.Context, world World) {
	for _, algorithm := range algorithms {
		samples := world.Validation[algorithm]
		attempt(golangJWT, algorithm, "", func() error {
			keys, err := keyfunc.NewDefaultCtx(ctx, []string{samples.JwksURI})
			if err != nil {
				return err
			}
			return tryValidator(samples, func(token string) error {
				_, err := jwt.Parse(token, keys.Keyfunc,
					jwt.WithValidMethods([]string{algorithm}),
					jwt.WithIssuer(samples.Issuer),
					jwt.WithAudience(samples.Audience),
					jwt.WithExpirationRequired())
				return err
			})
		})
		attempt(zitadelRP, algorithm, "the audience compared by the caller: the library's check of access tokens has none", func() error {
			verifier := &rp.IDTokenVerifier{
				Issuer:            samples.Issuer,
				SupportedSignAlgs: []string{algorithm},
				KeySet:            rp.NewRemoteKeySet(http.DefaultClient, samples.JwksURI),
			}
			return tryValidator(samples, func(token string) error {
				return zitadelValidate(ctx, (*zitadeloidc.Verifier)(verifier), samples.Audience, token)
			})
		})
	}
}

// recipe: zitadel/oidc as a validator

// zitadelValidate is the library's own check of an access token, and of its audience, which that lacks.
func zitadelValidate(ctx context.Context, verifier *zitadeloidc.Verifier, audience, token string) error {
	claims := new(zitadeloidc.AccessTokenClaims)
	payload, err := zitadeloidc.ParseToken(token, claims)
	if err != nil {
		return err
	}
	if err := zitadeloidc.CheckIssuer(claims, verifier.Issuer); err != nil {
		return err
	}
	if !slices.Contains(claims.Audience, audience) {
		return errors.New("wrong audience")
	}
	if err := zitadeloidc.CheckSignature(ctx, token, payload, claims, verifier.SupportedSignAlgs, verifier.KeySet); err != nil {
		return err
	}
	return zitadeloidc.CheckExpiration(claims, 0)
}

// end of recipe
