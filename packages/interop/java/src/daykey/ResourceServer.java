package daykey;

// recipe: Spring Security as a resource server

import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

/** Takes access tokens of RFC 9068, whose header says `at+jwt`, for this resource alone. */
@Configuration
@Profile("recipe")
class ResourceServer {

  @Bean
  JwtDecoder jwtDecoder(
      @Value("${spring.security.oauth2.resourceserver.jwt.issuer-uri}") String issuer,
      @Value("${spring.security.oauth2.resourceserver.jwt.audiences}") String resource) {
    // Finds the keys by discovery, and takes the algorithms that the keys name.
    NimbusJwtDecoder decoder =
        NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
    decoder.setJwtValidator(
        new DelegatingOAuth2TokenValidator<>(
            new JwtTypeValidator("at+jwt"),
            new JwtIssuerValidator(issuer),
            new JwtClaimValidator<java.util.List<String>>("aud", aud -> aud.contains(resource)),
            new JwtTimestampValidator()));
    return decoder;
  }
}

// end of recipe
