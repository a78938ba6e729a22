/** Requests by which a caller tries to be taken for another, or to get elsewhere than is checked. */
import { HOST } from "./gateway.ts";

/**
 * Requests that ask for a path or method other than the one they seem to. None may reach the service as
 * anything but `/open`, which is public, or `/time`, with the token that is good for it.
 */
type Hostile = [what: string, line: string, headers?: string[]];
export const HOSTILE: Hostile[] = [
  ...["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"].map((name): Hostile => [
    name,
    "GET /open",
    [`${name}: DELETE`],
  ]),
  ["X-Original-URL", "GET /admin", ["X-Original-URL: /open"]],
  ["X-Original-URL at an open path", "GET /open", ["X-Original-URL: /admin"]],
  ["X-Rewrite-URL", "GET /open", ["X-Rewrite-URL: /admin"]],
  ["X-Original-URI", "GET /admin", ["X-Original-URI: /open"]],
  ["X-Original-Method", "DELETE /time", ["X-Original-Method: GET"]],
  ["X-Original-Host", "GET /admin", ["X-Original-Host: other.example.test"]],
  ["X-Forwarded-Uri", "GET /admin", ["X-Forwarded-Uri: /open"]],
  ["X-Forwarded-Uri twice", "GET /admin", ["X-Forwarded-Uri: /open", "X-Forwarded-Uri: /open"]],
  ["X-Forwarded-Method", "DELETE /time", ["X-Forwarded-Method: GET"]],
  ["X-Forwarded-Host", "GET /admin", ["X-Forwarded-Host: other.example.test"]],
  ["X-Forwarded-Path", "GET /admin", ["X-Forwarded-Path: /open"]],
  ["X-Envoy-Original-Path", "GET /admin", ["X-Envoy-Original-Path: /open"]],
  ["X-Envoy-Original-Method", "DELETE /time", ["X-Envoy-Original-Method: GET"]],
  [
    "Connection names a header of the door",
    "GET /admin",
    ["Connection: X-Original-URI, X-Forwarded-Uri", "X-Original-URI: /open"],
  ],
  ["two slashes", "GET //admin"],
  ["two slashes after an open path", "GET /open//../admin"],
  ["two slashes within", "GET /files//secret/x"],
  ["dot segments", "GET /open/../admin"],
  ["encoded dot segments", "GET /open/%2e%2e/admin"],
  ["half encoded dot segments", "GET /files/.%2e/admin"],
  ["an encoded slash", "GET /files%2fsecret"],
  ["an encoded slash in dot segments", "GET /files/..%2fadmin"],
  ["encoded twice", "GET /files/%252e%252e/admin"],
  ["a backslash", "GET /files\\..\\admin"],
  ["an encoded backslash", "GET /files/..%5cadmin"],
  ["a path parameter", "GET /open;/../admin"],
  ["an encoded path parameter", "GET /admin%3b/open"],
  ["an encoded question mark", "GET /admin%3f/open"],
  ["NUL", "GET /open%00/../admin"],
  ["overlong UTF-8", "GET /open/%c0%ae%c0%ae/admin"],
  ["a full-width solidus", "GET /files%ef%bc%8fsecret"],
  ["a line break", "GET /open%0d%0aX-Daykey-Client:%20x"],
  ["capitals", "GET /FILES/secret/x"],
  ["capitals below", "GET /files/Secret/x"],
  ["a dot at the end", "GET /files/secret./x"],
  ["a fragment", "GET /open#/admin"],
  ["a letter that is encoded", "GET /%61dmin"],
  ["a letter of a denied folder that is encoded", "GET /files/secre%74/x"],
  ["a whole URL of the path", `GET http://${HOST}/admin`],
  ["a whole URL of another host", `GET http://other.example.test/open`],
  ["another host", "GET /open", ["Host: other.example.test"]],
  ["a host with a dot at its end", "GET /open", [`Host: ${HOST}.:80`]],
  ["another method", "PATCH /time"],
  ["a method in small letters", "get /time"],
  ["a method of one's own", "OPENSESAME /time"],
];

/** What a caller may try with Connection, which takes other headers away, at each proxy (RFC 9110 §7.6.1). */
export const CONNECTIONS: [what: string, headers: string[]][] = [
  ["names all", ["Connection: close, X-Daykey-Client, x-daykey-scope, X-DAYKEY-SUBJECT"]],
  ["comes twice", ["Connection: close", "Connection: X-Daykey-Client"]],
  ["has tabs and empty items", ["Connection: close,,\tX-Daykey-Client\t,"]],
  ["asks for another protocol", ["Connection: Upgrade, X-Daykey-Client", "Upgrade: websocket"]],
  ["has the name in a list of its own", ["Connection: close", "Proxy-Connection: X-Daykey-Client"]],
  [
    "names the names of the door",
    ["Connection: close, X-Original-URI, X-Forwarded-Uri, X-Forwarded-Method, X-Original-Method"],
  ],
  ["names credentials and the host", ["Connection: close, Authorization, Host, X-Forwarded-Host"]],
  ["names itself", ["Connection: close, Connection, X-Daykey-Client"]],
  [
    "names what says how the content is framed",
    ["Connection: close, Content-Length, Transfer-Encoding"],
  ],
];
