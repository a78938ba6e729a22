/** An OpenTelemetry collector that keeps what it is sent by OTLP/HTTP in JSON. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, string | number> }[];
  status: { code?: number };
}

export interface Collector {
  url: string;
  /** The spans of the service of this name. */
  spans(service: string): CollectedSpan[];
  /** All that came, as text. */
  text(): string;
  /** The headers of the last request. */
  headers(): IncomingHttpHeaders;
  stop(): Promise<void>;
}

interface Export {
  resourceSpans: {
    resource: { attributes: { value: { stringValue: string } }[] };
    scopeSpans: { spans: CollectedSpan[] }[];
  }[];
}

export async function startCollector(): Promise<Collector> {
  let text = "";
  let headers: IncomingHttpHeaders = {};
  const exports: Export[] = [];
  const server = createServer((req, res) => {
    let body = "";
    ({ headers } = req);
    req.setEncoding("utf8").on("data", (part: string) => (body += part));
    req.on("end", () => {
      text += body;
      if (req.url === "/v1/traces") exports.push(JSON.parse(body) as Export);
      res.setHeader("Content-Type", "application/json").end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: (service) =>
      exports
        .flatMap(({ resourceSpans }) => resourceSpans)
        .filter(({ resource }) => resource.attributes[0]?.value.stringValue === service)
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    text: () => text,
    headers: () => headers,
    async stop() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}
