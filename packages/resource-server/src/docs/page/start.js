/** Swagger UI reads an answer as JSON to indent it, and rounds its integers: such an answer is shown as it came. */
const exactNumbers = {
  wrapComponents: {
    responseBody:
      (ResponseBody, { React }) =>
      (props) =>
        React.createElement(ResponseBody, {
          ...props,
          ...(isRounded(props.content) && asText(props)),
        }),
  },
};

function isRounded(content) {
  try {
    return JSON.stringify(JSON.parse(content)) !== content;
  } catch {
    return false;
  }
}

function asText({ content }) {
  return { contentType: "text/plain", content: content.replaceAll(',"', ',\n"') };
}

const ui = globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  plugins: [exactNumbers],
  // No outside request: there is a validator of specifications that it would ask.
  validatorUrl: null,
});
ui.initOAuth({ scopes: ["time:read", "primes:check"] });
