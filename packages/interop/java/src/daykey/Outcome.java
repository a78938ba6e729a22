package daykey;

import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What every library is tried against, and what came of it: a line of JSON on standard output. */
final class Outcome {

  interface Run {
    void run() throws Exception;
  }

  /** Throws when it refuses the token. */
  interface Validate {
    void validate(String token) throws Exception;
  }

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  static final Map<String, Object> WORLD = readWorld();

  private Outcome() {}

  static void attempt(String library, String version, String check, String setting, Run run) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("library", library);
    line.put("version", version);
    line.put("check", check);
    if (setting != null) line.put("setting", setting);
    try {
      run.run();
      line.put("worked", true);
      line.put("seen", "");
    } catch (Exception error) {
      Throwable cause = error;
      while (cause.getCause() != null) cause = cause.getCause();
      String seen = cause.getClass().getSimpleName() + ": " + cause.getMessage();
      line.put("worked", false);
      line.put("seen", seen.substring(0, Math.min(300, seen.length())));
    }
    System.out.println(JSONObjectUtils.toJSONString(line));
  }

  static void tryValidator(Map<String, Object> samples, Validate validate) throws Exception {
    validate.validate(text(samples, "good"));
    List<String> taken = new ArrayList<>();
    for (Map.Entry<String, Object> bad : map(samples, "bad").entrySet()) {
      try {
        validate.validate((String) bad.getValue());
        taken.add(bad.getKey());
      } catch (Exception refused) {
        System.err.println(bad.getKey() + ": " + refused);
      }
    }
    if (!taken.isEmpty()) throw new IllegalStateException("takes a token with a wrong: " + taken);
  }

  static void callTime(String token) throws Exception {
    expectOk(text(WORLD, "resource") + "/time", token);
  }

  /** Throws unless the answer to GET is 200. */
  static void expectOk(String url, String token) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url)).header("Authorization", "Bearer " + token).build();
    HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() == 200) return;
    String challenge = response.headers().firstValue("WWW-Authenticate").orElse("");
    throw new IllegalStateException(response.statusCode() + " " + challenge);
  }

  static String text(Map<String, Object> parent, String name) {
    return (String) parent.get(name);
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> map(Map<String, Object> parent, String name) {
    return (Map<String, Object>) parent.get(name);
  }

  /** The JWK of the client that proves itself by key. */
  static Map<String, Object> jwk(String algorithm) {
    return map(map(map(map(WORLD, "key_client"), "keys"), algorithm), "jwk");
  }

  private static Map<String, Object> readWorld() {
    try {
      return JSONObjectUtils.parse(Files.readString(Path.of(System.getenv("DAYKEY_INTEROP_WORLD"))));
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }
}
