package daykey;

import static daykey.Outcome.WORLD;
import static daykey.Outcome.attempt;
import static daykey.Outcome.callTime;
import static daykey.Outcome.expectOk;
import static daykey.Outcome.jwk;
import static daykey.Outcome.map;
import static daykey.Outcome.text;
import static daykey.Outcome.tryValidator;

import com.nimbusds.jose.jwk.JWK;
import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.security.core.SpringSecurityCoreVersion;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.OAuth2RefreshTokenGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientTokenExchangeTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.TokenExchangeGrantRequest;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.security.oauth2.core.endpoint.OAuth2AccessTokenResponse;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Security as a client, and a Spring Boot application as a resource server. */
@SpringBootApplication
@RestController
public class App {

  private static final String VERSION = SpringSecurityCoreVersion.getVersion();
  private static final String NAME = "Spring Security " + VERSION.split("\\.")[0];
  private static final String ISSUER = text(WORLD, "issuer");

  @GetMapping("/")
  String answer() {
    return "ok";
  }

  public static void main(String[] arguments) {
    tryClient();
    for (String algorithm : List.of("ES256", "RS256", "EdDSA")) {
      Map<String, Object> samples = map(map(WORLD, "validation"), algorithm);
      attempt(NAME, VERSION, algorithm, null, () -> tryApplication(samples, "none"));
      // Its list of algorithms has no EdDSA.
      if (algorithm.equals("EdDSA")) continue;
      attempt(
          NAME,
          VERSION,
          algorithm,
          "a `JwtDecoder` that takes the type `at+jwt`",
          () -> tryApplication(samples, "recipe"));
      attempt(
          NAME + ", `withJwkSetUri`",
          VERSION,
          algorithm,
          "a `JwtDecoder` that takes the type `at+jwt` and is told the algorithms",
          () -> tryApplication(samples, "keys-by-address"));
    }
    System.exit(0);
  }

  private static void tryClient() {
    attempt(
        NAME,
        VERSION,
        "OpenID discovery",
        null,
        () -> callTime(secretToken(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)));
    attempt(
        NAME,
        VERSION,
        "client_secret_basic",
        null,
        () -> callTime(secretToken(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)));
    attempt(
        NAME,
        VERSION,
        "client_secret_post",
        null,
        () -> callTime(secretToken(ClientAuthenticationMethod.CLIENT_SECRET_POST)));
    attempt(NAME, VERSION, "private_key_jwt", null, () -> callTime(keyTokenAsItComes()));
    for (String algorithm : List.of("ES256", "RS256")) {
      attempt(
          NAME,
          VERSION,
          "private_key_jwt",
          "`setJwtClientAssertionCustomizer`: the issuer as the audience",
          () -> callTime(keyToken(algorithm)));
    }
    attempt(
        NAME,
        VERSION,
        "refresh_token",
        null,
        () -> {
          ClientRegistration client = registration(ClientAuthenticationMethod.CLIENT_SECRET_BASIC);
          OAuth2AccessTokenResponse first = grant(client);
          OAuth2AccessTokenResponse next =
              new RestClientRefreshTokenTokenResponseClient()
                  .getTokenResponse(
                      new OAuth2RefreshTokenGrantRequest(
                          client, first.getAccessToken(), first.getRefreshToken()));
          callTime(next.getAccessToken().getTokenValue());
        });
    attempt(NAME, VERSION, "token exchange", null, () -> callTime(exchangedToken()));
  }

  private static String exchangedToken() {
    OAuth2AccessToken theirs =
        grant(registration(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)).getAccessToken();
    Map<String, Object> agent = map(WORLD, "agent");
    ClientRegistration registration =
        ClientRegistrations.fromIssuerLocation(ISSUER)
            .registrationId("agent")
            .clientId(text(agent, "client_id"))
            .clientSecret(text(agent, "client_secret"))
            .authorizationGrantType(AuthorizationGrantType.TOKEN_EXCHANGE)
            .scope("time:read")
            .build();
    return new RestClientTokenExchangeTokenResponseClient()
        .getTokenResponse(new TokenExchangeGrantRequest(registration, theirs, null))
        .getAccessToken()
        .getTokenValue();
  }

  private static ClientRegistration registration(ClientAuthenticationMethod method) {
    boolean byKey = method.equals(ClientAuthenticationMethod.PRIVATE_KEY_JWT);
    Map<String, Object> client = map(WORLD, byKey ? "key_client" : "demo");
    return ClientRegistrations.fromIssuerLocation(ISSUER)
        .registrationId("daykey")
        .clientId(text(client, "client_id"))
        .clientSecret(text(client, "client_secret"))
        .clientAuthenticationMethod(method)
        .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
        .scope("time:read")
        .build();
  }

  private static OAuth2AccessTokenResponse grant(ClientRegistration client) {
    return new RestClientClientCredentialsTokenResponseClient()
        .getTokenResponse(new OAuth2ClientCredentialsGrantRequest(client));
  }

  private static String secretToken(ClientAuthenticationMethod method) {
    return grant(registration(method)).getAccessToken().getTokenValue();
  }

  private static String keyTokenAsItComes() throws Exception {
    JWK key = JWK.parse(jwk("ES256"));
    var client = new RestClientClientCredentialsTokenResponseClient();
    client.addParametersConverter(
        new NimbusJwtClientAuthenticationParametersConverter<>(registration -> key));
    return keyToken(client);
  }

  private static String keyToken(String algorithm) throws Exception {
    return keyToken(KeyClient.tokenClient(ISSUER, JWK.parse(jwk(algorithm))));
  }

  private static String keyToken(RestClientClientCredentialsTokenResponseClient client) {
    ClientRegistration registration = registration(ClientAuthenticationMethod.PRIVATE_KEY_JWT);
    return client
        .getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration))
        .getAccessToken()
        .getTokenValue();
  }

  private static void tryApplication(Map<String, Object> samples, String profile) throws Exception {
    String jwt = "--spring.security.oauth2.resourceserver.jwt.";
    try (ConfigurableApplicationContext app =
        SpringApplication.run(
            App.class,
            "--server.port=0",
            "--spring.main.banner-mode=off",
            "--logging.level.root=off",
            "--spring.profiles.active=" + profile,
            jwt + "issuer-uri=" + text(samples, "issuer"),
            jwt + "audiences=" + text(samples, "audience"))) {
      String url = "http://127.0.0.1:" + app.getEnvironment().getProperty("local.server.port") + "/";
      tryValidator(samples, token -> expectOk(url, token));
    }
  }
}
