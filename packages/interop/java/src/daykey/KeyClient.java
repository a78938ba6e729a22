package daykey;

// recipe: Spring Security with private_key_jwt

import com.nimbusds.jose.jwk.JWK;
import java.util.List;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;

/** The library sends the token endpoint as the audience unless it is told the issuer. */
final class KeyClient {

  static RestClientClientCredentialsTokenResponseClient tokenClient(String issuer, JWK key) {
    var assertions =
        new NimbusJwtClientAuthenticationParametersConverter<OAuth2ClientCredentialsGrantRequest>(
            registration -> key);
    assertions.setJwtClientAssertionCustomizer(
        context -> context.getClaims().audience(List.of(issuer)));
    var client = new RestClientClientCredentialsTokenResponseClient();
    client.addParametersConverter(assertions);
    return client;
  }
}

// end of recipe
