/** Requests as bytes, since clients tidy what they send. */
import { once } from "node:events";
import { connect } from "node:net";
import type { HttpDoor } from "../src/doors.ts";
import { HOST } from "./gateway.ts";

export interface Answer {
  status: number;
  headers: Map<string, string[]>;
  body: string;
}

/** Sends them, and reads one answer to its end. */
export async function send(port: number, bytes: string): Promise<Answer> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  socket.on("error", () => {});
  socket.write(bytes, "latin1");
  await once(socket, "close");
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [line = "", ...fields] = head.split("\r\n");
  const headers = new Map<string, string[]>();
  for (const field of fields) {
    const [name = "", ...value] = field.split(": ");
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value.join(": ")]);
  }
  return { status: Number(line.split(" ")[1] ?? 0), headers, body: rest.join("\r\n\r\n") };
}

/** One request, on a connection that ends after it. */
export function request(line: string, headers: readonly string[] = [], body = ""): string {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : [`Host: ${HOST}`];
  return `${[`${line} HTTP/1.1`, ...host, "Connection: close", ...headers].join("\r\n")}\r\n\r\n${body}`;
}

/** The headers by which a door is told what is asked. */
export const FORWARDED = {
  method: "X-Forwarded-Method",
  host: "X-Forwarded-Host",
  target: "X-Forwarded-Uri",
};
export const TOLD: Readonly<Record<"nginx" | "traefik" | "caddy", typeof FORWARDED>> = {
  nginx: { method: "X-Original-Method", host: "X-Original-Host", target: "X-Original-URI" },
  traefik: FORWARDED,
  caddy: FORWARDED,
};
export const BY_HEADERS = ["nginx", "traefik", "caddy"] as const;

/** What the proxy of a door sends for a request. */
export function question(
  door: HttpDoor,
  {
    method = "GET",
    target = "/time",
    host = HOST,
  }: { method?: string; target?: string; host?: string },
  headers: readonly string[] = [],
): string {
  if (door === "envoy") return request(`${method} /envoy${target}`, [`Host: ${host}`, ...headers]);
  const names = TOLD[door];
  const told = [
    `${names.method}: ${method}`,
    `${names.host}: ${host}`,
    `${names.target}: ${target}`,
  ];
  return request(`GET /${door}`, ["Host: gateway", ...told, ...headers]);
}
