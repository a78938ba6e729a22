package daykey;

import static daykey.Outcome.WORLD;
import static daykey.Outcome.attempt;
import static daykey.Outcome.callTime;
import static daykey.Outcome.jwk;
import static daykey.Outcome.map;
import static daykey.Outcome.text;
import static daykey.Outcome.tryValidator;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.AsymmetricJWK;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.Tokens;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import java.net.URI;
import java.net.URL;
import java.security.PrivateKey;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

/** Nimbus's SDK as a client, and its validator of tokens. */
final class Nimbus {

  private static final String NAME = "Nimbus oauth2-oidc-sdk";
  private static final String VERSION = version();
  private static final Issuer ISSUER = new Issuer(text(WORLD, "issuer"));
  private static final URI TOKEN_ENDPOINT = URI.create(text(WORLD, "token_endpoint"));
  private static final ClientID ID = new ClientID(text(map(WORLD, "demo"), "client_id"));
  private static final Secret SECRET = new Secret(text(map(WORLD, "demo"), "client_secret"));
  private static final String KEY_CLIENT = text(map(WORLD, "key_client"), "client_id");

  private Nimbus() {}

  public static void main(String[] arguments) {
    ClientAuthentication basic = new ClientSecretBasic(ID, SECRET);
    attempt(
        NAME,
        VERSION,
        "RFC 8414 discovery",
        null,
        () -> {
          URI endpoint = AuthorizationServerMetadata.resolve(ISSUER).getTokenEndpointURI();
          callTime(access(grant(endpoint, basic, new ClientCredentialsGrant())));
        });
    attempt(
        NAME,
        VERSION,
        "OpenID discovery",
        null,
        () -> {
          URI endpoint = OIDCProviderMetadata.resolve(ISSUER).getTokenEndpointURI();
          callTime(access(grant(endpoint, basic, new ClientCredentialsGrant())));
        });
    attempt(NAME, VERSION, "client_secret_basic", null, () -> callTime(token(basic)));
    attempt(
        NAME,
        VERSION,
        "client_secret_post",
        null,
        () -> callTime(token(new ClientSecretPost(ID, SECRET))));
    attempt(
        NAME,
        VERSION,
        "private_key_jwt",
        null,
        () -> callTime(token(assertion(TOKEN_ENDPOINT, KEY_CLIENT, JWK.parse(jwk("ES256"))))));
    for (String algorithm : List.of("ES256", "RS256")) {
      attempt(
          NAME,
          VERSION,
          "private_key_jwt",
          "the issuer in place of the endpoint",
          () -> {
            URI issuer = URI.create(ISSUER.getValue());
            callTime(token(assertion(issuer, KEY_CLIENT, JWK.parse(jwk(algorithm)))));
          });
    }
    attempt(
        NAME,
        VERSION,
        "refresh_token",
        null,
        () -> {
          Tokens first = grant(TOKEN_ENDPOINT, basic, new ClientCredentialsGrant());
          AuthorizationGrant next = new RefreshTokenGrant(first.getRefreshToken());
          callTime(access(grant(TOKEN_ENDPOINT, basic, next)));
        });
    for (String algorithm : List.of("ES256", "RS256", "EdDSA")) {
      Map<String, Object> samples = map(map(WORLD, "validation"), algorithm);
      attempt(
          NAME,
          VERSION,
          algorithm,
          "`setJWSTypeVerifier` with `at+jwt`",
          () -> {
            DefaultJWTProcessor<SecurityContext> processor =
                processor(
                    text(samples, "issuer"),
                    new URL(text(samples, "jwks_uri")),
                    text(samples, "audience"),
                    JWSAlgorithm.parse(algorithm));
            tryValidator(samples, token -> processor.process(token, null));
          });
    }
  }

  // recipe: Nimbus with private_key_jwt

  /** The second argument becomes the audience: give it the issuer, not the token endpoint. */
  private static ClientAuthentication assertion(URI issuer, String clientId, JWK key)
      throws Exception {
    JWSAlgorithm algorithm = JWSAlgorithm.parse(key.getAlgorithm().getName());
    PrivateKey privateKey = ((AsymmetricJWK) key).toPrivateKey();
    return new PrivateKeyJWT(
        new ClientID(clientId), issuer, algorithm, privateKey, key.getKeyID(), null);
  }

  // end of recipe

  // recipe: Nimbus as a resource server

  private static DefaultJWTProcessor<SecurityContext> processor(
      String issuer, URL jwksUri, String resource, JWSAlgorithm algorithm) throws Exception {
    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSTypeVerifier(
        new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
    processor.setJWSKeySelector(
        new JWSVerificationKeySelector<>(algorithm, JWKSourceBuilder.create(jwksUri).build()));
    processor.setJWTClaimsSetVerifier(
        new DefaultJWTClaimsVerifier<>(
            resource,
            new JWTClaimsSet.Builder().issuer(issuer).build(),
            Set.of("sub", "client_id", "iat", "exp", "jti", "scope")));
    return processor;
  }

  // end of recipe

  private static String token(ClientAuthentication authentication) throws Exception {
    return access(grant(TOKEN_ENDPOINT, authentication, new ClientCredentialsGrant()));
  }

  private static Tokens grant(URI endpoint, ClientAuthentication authentication, AuthorizationGrant grant)
      throws Exception {
    TokenRequest request =
        new TokenRequest.Builder(endpoint, authentication, grant)
            .scope(new Scope("time:read"))
            .build();
    TokenResponse response = TokenResponse.parse(request.toHTTPRequest().send());
    if (!response.indicatesSuccess()) {
      throw new IllegalStateException(
          response.toErrorResponse().getErrorObject().toJSONObject().toString());
    }
    return response.toSuccessResponse().getTokens();
  }

  private static String access(Tokens tokens) {
    return tokens.getAccessToken().getValue();
  }

  private static String version() {
    try (var file =
        Nimbus.class.getResourceAsStream(
            "/META-INF/maven/com.nimbusds/oauth2-oidc-sdk/pom.properties")) {
      var properties = new Properties();
      properties.load(file);
      return properties.getProperty("version");
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }
}
