import { expect, test } from "vitest";

import { readClientCertificate } from "./client-certificate.ts";

const read = (cert?: readonly string[], chain?: readonly string[]) =>
  readClientCertificate((name) => (name === "client-cert" ? cert : chain));

test("RFC 9440 §2: Client-Cert is a byte sequence, Client-Cert-Chain a list of them", () => {
  const [one, two] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)];
  expect(read([":AQID:"])).toEqual({ der: one, chain: [] });
  expect(read([" :AQID: "], [":AQID:, :BA==:"])).toEqual({ der: one, chain: [one, two] });
  expect(read()).toBeUndefined();
});

const PEM = "-----BEGIN%20CERTIFICATE-----%0AAQID%0A-----END%20CERTIFICATE-----%0A";

const MALFORMED: Readonly<Record<string, readonly [readonly string[] | undefined, string[]?]>> = {
  "an empty line": [[""]],
  "an empty byte sequence": [["::"]],
  "two lines": [[":AQID:", ":BA==:"]],
  "the same line twice": [[":AQID:", ":AQID:"]],
  "two members": [[":AQID:, :BA==:"]],
  "no colons": [["AQID"]],
  "one colon": [[":AQID"]],
  "escaped PEM, as nginx writes it": [[PEM]],
  "PEM's base64 without its lines, as Traefik writes it": [["AQID"]],
  "what Envoy writes": [[`Hash=00;Cert="${PEM}"`]],
  "a parameter": [[":AQID:;a=1"]],
  "a string": [['"AQID"']],
  "no padding": [[":BA:"]],
  "too much padding": [[":BA===:"]],
  "stray bits": [[":BB==:"]],
  base64url: [[":-_-_:"]],
  "a space within": [[":AQ ID:"]],
  "a tab around": [["\t:AQID:"]],
  "a line break within": [[":AQ\nID:"]],
  "a NUL": [[":AQID:\0"]],
  "more than any certificate has": [[`:${"AAAA".repeat(2731)}:`]],
  "a chain alone": [undefined, [":AQID:"]],
  "a chain in two lines": [[":AQID:"], [":AQID:", ":AQID:"]],
  "an empty chain": [[":AQID:"], [""]],
  "an empty member": [[":AQID:"], [":AQID:,,:AQID:"]],
  "a chain without end": [[":AQID:"], [Array.from({ length: 9 }, () => ":AQID:").join(", ")]],
  "a bad member": [[":AQID:"], [":AQID:, AQID"]],
};

test.each(Object.entries(MALFORMED))("M2: not a certificate's field: %s", (_, [cert, chain]) => {
  expect(read(cert, chain)).toBe("malformed");
});
