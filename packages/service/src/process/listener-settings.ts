/** The settings that every server has for its two listeners (`lifecycle.ts`). */
import { availableParallelism } from "node:os";

import { isNetwork } from "../http/address.ts";
import { CERTIFICATE_SOURCES } from "../http/client-certificate.ts";
import { choice, ConfigError, integer, list, seconds, type Settings, text, url } from "./config.ts";

/** Each worker has a pool of database connections of its own; more than this is the operator's choice. */
const MAX_DEFAULT_WORKERS = 4;

/** Definitions for `readSettings`, with the server's own default ports. */
export function listenerSettings({
  requestsPerAddress,
  ...ports
}: {
  public: number;
  private: number;
  requestsPerAddress: number;
}) {
  const port = (standard: number, listener: string) =>
    integer({
      default: standard,
      min: 0,
      max: 65535,
      description: `Port of the ${listener} listener`,
    });
  return {
    HOST: text({ default: "0.0.0.0", description: "Address of the public listener" }),
    PORT: port(ports.public, "public"),
    PRIVATE_HOST: text({ default: "127.0.0.1", description: "Address of the private listener" }),
    PRIVATE_PORT: port(ports.private, "private"),
    TLS_CERTIFICATE_FILE: text({
      optional: true,
      description:
        "PEM file with the certificate of the public listener, and those up to its root; plain HTTP if unset",
    }),
    TLS_KEY_FILE: text({
      optional: true,
      description: "PEM file with the private key of TLS_CERTIFICATE_FILE",
    }),
    CLIENT_CERTIFICATES: choice(CERTIFICATE_SOURCES, {
      default: "off",
      description:
        "Where certificates of clients come from: this server's own TLS, or the header Client-Cert (RFC 9440) of TRUSTED_PROXIES",
    }),
    TRUSTED_PROXIES: list({
      default: [],
      item: isNetwork,
      form: "IP addresses or CIDR ranges separated by commas",
      description: "Proxies whose X-Forwarded-For the server trusts",
    }),
    REQUESTS_PER_ADDRESS: integer({
      default: requestsPerAddress,
      min: 0,
      max: 1_000_000,
      description: "Most requests of one address to the public listener in a second; 0: no limit",
    }),
    KEEP_ALIVE_SECONDS: seconds({
      default: 75,
      min: 1,
      max: 3600,
      description:
        "Idle connections are closed after this time; make it longer than the proxy's own",
    }),
    WORKERS: integer({
      optional: true,
      min: 1,
      max: 256,
      description: `Processes that share both ports; one for each core, ${MAX_DEFAULT_WORKERS} at most, if unset`,
    }),
    STOP_DELAY_SECONDS: seconds({
      default: 1,
      min: 0,
      max: 60,
      description:
        "How long the server still accepts requests after SIGTERM, while /readyz answers 503",
    }),
    OTEL_EXPORTER_OTLP_ENDPOINT: url({
      optional: true,
      path: true,
      description: "OpenTelemetry collector to which traces are sent by OTLP/HTTP; none if unset",
    }),
    OTEL_TRACES_SAMPLER_ARG: text({
      default: "1",
      pattern: /^(?:0|1|0?\.\d{1,9})$/,
      form: "a number from 0 to 1",
      description:
        "Share of traces that is kept, of those that begin here or come from untrusted callers",
    }),
  };
}

export type ListenerConfig = ReturnType<typeof listenerConfig>;

/** @throws {ConfigError} for settings of TLS and of clients' certificates that do not fit each other */
export function listenerConfig(settings: Settings<ReturnType<typeof listenerSettings>>) {
  const endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  const faults = certificateFaults(settings);
  if (faults.length > 0) throw new ConfigError(faults);
  const { TLS_CERTIFICATE_FILE: certificateFile, TLS_KEY_FILE: keyFile } = settings;
  const asksClients = settings.CLIENT_CERTIFICATES === "tls";
  return {
    public: { host: settings.HOST, port: settings.PORT },
    private: { host: settings.PRIVATE_HOST, port: settings.PRIVATE_PORT },
    /** Undefined: the public listener speaks plain HTTP. */
    tls:
      certificateFile === undefined || keyFile === undefined
        ? undefined
        : { certificateFile, keyFile, asksClients },
    clientCertificates: settings.CLIENT_CERTIFICATES,
    trustedProxies: settings.TRUSTED_PROXIES,
    requestsPerAddress: settings.REQUESTS_PER_ADDRESS,
    keepAliveSeconds: settings.KEEP_ALIVE_SECONDS,
    workers: settings.WORKERS ?? Math.min(availableParallelism(), MAX_DEFAULT_WORKERS),
    stopDelaySeconds: settings.STOP_DELAY_SECONDS,
    /** Undefined: no traces. */
    traces:
      endpoint === undefined
        ? undefined
        : { endpoint, ratio: Number(settings.OTEL_TRACES_SAMPLER_ARG) },
  };
}

function certificateFaults(
  settings: Pick<
    Settings<ReturnType<typeof listenerSettings>>,
    "TLS_CERTIFICATE_FILE" | "TLS_KEY_FILE" | "CLIENT_CERTIFICATES" | "TRUSTED_PROXIES"
  >,
): string[] {
  const { CLIENT_CERTIFICATES: source } = settings;
  const files = [settings.TLS_CERTIFICATE_FILE, settings.TLS_KEY_FILE];
  const set = files.filter((file) => file !== undefined).length;
  const faults: string[] = [];
  if (set === 1) faults.push("TLS_CERTIFICATE_FILE and TLS_KEY_FILE must be set together");
  if (set === 0 && source === "tls") {
    faults.push("CLIENT_CERTIFICATES=tls needs TLS_CERTIFICATE_FILE and TLS_KEY_FILE");
  }
  if (settings.TRUSTED_PROXIES.length === 0 && source === "proxy") {
    faults.push("CLIENT_CERTIFICATES=proxy needs TRUSTED_PROXIES");
  }
  return faults;
}
