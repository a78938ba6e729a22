import { describe, expect, test } from "vitest";
import { createFindRoute, type Decision } from "./routes.ts";
import { readRoutesFile } from "./routes-file.ts";

const FILE = `
hosts:
  api.example.com:
    routes:
      - { path: /health, access: public }
      - { path: /orders, methods: [GET], scope: orders:list }
      - { path: /orders, methods: [POST], scope: orders:write }
      - { path: /orders/*, methods: [GET], scope: orders:read }
      - { path: /orders/new, scope: orders:new }
      - { path: /orders/*/lines, scope: orders:lines }
      - { path: /files/**, scope: files:read }
      - { path: /files/secret/**, access: denied }
      - { path: /files/secret/open, scope: files:open }
      - { path: /Case, scope: case }
      - { path: /, access: public }
  "*":
    resource: https://other.example.com
    routes:
      - { path: /**, scope: other }
`;

const find = createFindRoute(
  readRoutesFile(FILE, { name: "routes.yaml", resource: "https://api.example.com" }),
);

function said(decision: Decision): string {
  if (decision === undefined) return "denied";
  if ("fault" in decision) return `refused: ${decision.fault}`;
  const { effect } = decision.rule;
  return effect.kind === "scope" ? effect.scope : effect.kind;
}

const at = (line: string): string => {
  const [method = "", target = "", host = "api.example.com"] = line.split(" ");
  return said(find({ method, target, host }));
};

describe("the most specific path holds", () => {
  test.each([
    ["GET /health", "public"],
    ["DELETE /health", "public"],
    ["GET /", "public"],
    ["GET /orders", "orders:list"],
    ["HEAD /orders", "orders:list"],
    ["POST /orders", "orders:write"],
    ["GET /orders?x=1", "orders:list"],
    ["GET /orders/1", "orders:read"],
    ["HEAD /orders/1", "orders:read"],
    ["GET /orders/new", "orders:new"],
    ["GET /orders/%6eew", "orders:new"],
    ["GET /orders/1/lines", "orders:lines"],
    ["GET /orders/new/lines", "orders:lines"],
    ["GET /files", "files:read"],
    ["GET /files/", "files:read"],
    ["GET /files/a/b/c", "files:read"],
    ["GET /files/secret/open", "files:open"],
    ["GET /anything other.example.com", "other"],
    ["GET /anything OTHER.example.com:8443", "other"],
    ["GET / other.example.com", "other"],
  ])("%s: %s", (line, expected) => {
    expect(at(line)).toBe(expected);
  });

  test("and what it names belongs to the host's resource", () => {
    expect(find({ method: "GET", target: "/orders", host: "api.example.com" })).toMatchObject({
      resource: "https://api.example.com",
      rule: { name: "GET /orders" },
    });
    expect(find({ method: "GET", target: "/", host: "x.example.com" })).toMatchObject({
      resource: "https://other.example.com",
    });
  });
});

describe("everything else is denied", () => {
  test.each([
    "GET /nothing",
    "GET /ordersx",
    "GET /orders/1/2",
    "GET /healthz",
    // A method that the most specific path does not name, whatever wider paths allow.
    "DELETE /orders",
    "OPTIONS /orders",
    "POST /orders/1",
    "GET /files/secret",
    "GET /files/secret/",
    "GET /files/secret/x",
  ])("%s", (line) => {
    expect(at(line)).toBe("denied");
  });

  test("a host that is not named, where none stands for the others", () => {
    const file = "hosts: { a.example.com: { routes: [{ path: /**, access: public }] } }";
    const only = createFindRoute(
      readRoutesFile(file, { name: "x", resource: "https://a.example.com" }),
    );
    expect(said(only({ method: "GET", target: "/", host: "a.example.com" }))).toBe("public");
    expect(said(only({ method: "GET", target: "/", host: "b.example.com" }))).toBe("denied");
    expect(said(only({ method: "GET", target: "/", host: "x.a.example.com" }))).toBe("denied");
  });
});

describe("what a less exact service would take for another route is refused", () => {
  test.each([
    ["GET /HEALTH", "folded_path"],
    ["GET /health/", "folded_path"],
    ["GET /health.", "folded_path"],
    ["GET /Orders", "folded_path"],
    ["GET /orders/NEW", "folded_path"],
    ["GET /orders/new/", "folded_path"],
    ["GET /orders/1/", "folded_path"],
    ["GET /files/SECRET/x", "folded_path"],
    ["GET /files/secret./x", "folded_path"],
    ["GET /files/secret/OPEN", "folded_path"],
    ["GET /case", "folded_path"],
    ["get /orders", "method"],
    ["GET\t /orders", "method"],
    ["GET /orders api.example.com.", "host"],
    ["GET /orders a,b", "host"],
    ["GET //orders", "empty_segment"],
    ["GET /files/../orders", "dot_segment"],
  ])("%s: %s", (line, fault) => {
    expect(at(line)).toBe(`refused: ${fault}`);
  });

  test("and not where it makes no difference", () => {
    expect(at("GET /FILES.txt/x")).toBe("denied");
    expect(at("GET /files/A/B/")).toBe("files:read");
    expect(at("GET /Case")).toBe("case");
  });
});

test("the time of a look-up does not grow with what a path could match", () => {
  const rules = Array.from(
    { length: 300 },
    (_, i) => `{ path: ${"/*".repeat((i % 20) + 1)}/x${i}, scope: s${i} }`,
  );
  const file = `hosts: { a.example.com: { routes: [${rules.join(", ")}] } }`;
  const many = createFindRoute(
    readRoutesFile(file, { name: "x", resource: "https://a.example.com" }),
  );
  const target = "/a".repeat(2000);
  expect(said(many({ method: "GET", target, host: "a.example.com" }))).toBe("denied");
});
