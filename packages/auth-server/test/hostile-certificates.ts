/** What certificates prove a client, and what ones do not. */
import {
  type CertificateOptions,
  createAuthority,
  selfSigned,
  SERVER_AUTH,
  type TestAuthority,
  type TestCertificate,
} from "@daykey/service/test/certificates";
import type { CertificateName } from "../src/clients/client.ts";

export const SUBJECT = "CN=billing,OU=Jobs,O=Acme,C=DE";
/** As a certificate says it: the other way round. */
export const WRITTEN = "C=DE, O=Acme, OU=Jobs, CN=billing";
/** A registered name, and a certificate that has it. */
export const NAMES: Readonly<Record<string, readonly [CertificateName, CertificateOptions]>> = {
  "its subject": [{ name: "subject_dn", value: SUBJECT }, { subject: WRITTEN }],
  "its subject, spelled differently": [
    { name: "subject_dn", value: "cn=BILLING, 2.5.4.11=Jobs, o=#0c0441636d65, c=de" },
    { subject: WRITTEN },
  ],
  "a DNS name among others": [
    { name: "san_dns", value: "Jobs.Example" },
    {
      names: [
        { type: "dns", value: "other.example" },
        { type: "dns", value: "jobs.example" },
      ],
    },
  ],
  "an international DNS name": [
    { name: "san_dns", value: "bücher.example" },
    { names: [{ type: "dns", value: "xn--bcher-kva.example" }] },
  ],
  "a URI": [
    { name: "san_uri", value: "spiffe://acme/ns/jobs/sa/billing" },
    { names: [{ type: "url", value: "spiffe://acme/ns/jobs/sa/billing" }] },
  ],
  "an IPv4 address": [
    { name: "san_ip", value: "192.0.2.7" },
    { names: [{ type: "ip", value: "192.0.2.7" }] },
  ],
  "an IPv6 address": [
    { name: "san_ip", value: "2001:DB8::7" },
    { names: [{ type: "ip", value: "2001:db8::7" }] },
  ],
  "an address of mail": [
    { name: "san_email", value: "jobs@ACME.example" },
    { names: [{ type: "email", value: "jobs@acme.example" }] },
  ],
};

/** Certificates that prove no client of `SUBJECT`, or of the name that stands there, with the reason in the log. */
export const REFUSED: Readonly<
  Record<
    string,
    readonly [string, (ca: TestAuthority) => Promise<TestCertificate>, CertificateName?]
  >
> = {
  "another subject": [
    "certificate_of_another",
    (ca) => ca.issue({ subject: "C=DE, O=Acme, OU=Jobs, CN=other" }),
  ],
  "its parts in another order": ["certificate_of_another", (ca) => ca.issue({ subject: SUBJECT })],
  "its parts at one level": [
    "certificate_of_another",
    (ca) => ca.issue({ subject: "C=DE, O=Acme, CN=billing+OU=Jobs" }),
  ],
  "a part less": [
    "certificate_of_another",
    (ca) => ca.issue({ subject: "C=DE, O=Acme, CN=billing" }),
  ],
  "a NUL in its subject": [
    "certificate_of_another",
    (ca) =>
      ca.issue({
        subject: [{ C: ["DE"] }, { O: ["Acme"] }, { OU: ["Jobs"] }, { CN: ["billing\0"] }],
      }),
  ],
  "one that has expired": [
    "certificate_expired",
    (ca) => ca.issue({ subject: WRITTEN, from: -3, until: -1 }),
  ],
  "one that is not valid yet": [
    "certificate_not_yet_valid",
    (ca) => ca.issue({ subject: WRITTEN, from: 1, until: 3 }),
  ],
  "one for servers": [
    "certificate_wrong_purpose",
    (ca) => ca.issue({ subject: WRITTEN, usages: [SERVER_AUTH] }),
  ],
  "an authority's own": [
    "certificate_of_an_authority",
    (ca) => ca.issue({ subject: WRITTEN, authority: true }),
  ],
  "the same subject by another authority of the same name": [
    "certificate_unknown_authority",
    async () => (await createAuthority()).issue({ subject: WRITTEN }),
  ],
  "the same subject by its own": [
    "certificate_unknown_authority",
    () => selfSigned({ subject: WRITTEN }),
  ],
  "issued by a certificate that is no authority": [
    "certificate_wrong_authority",
    async (ca) => {
      const between = await ca.issueAuthority({ subject: "CN=x", authority: false });
      return between.issue({ subject: WRITTEN });
    },
  ],
  "more authorities between than one of them allows": [
    "certificate_wrong_authority",
    async (ca) => {
      const one = await ca.issueAuthority({ subject: "CN=One", authority: 0 });
      const two = await one.issueAuthority({ subject: "CN=Two" });
      return two.issue({ subject: WRITTEN });
    },
  ],
  "an authority for servers between": [
    "certificate_wrong_authority",
    async (ca) => {
      const one = await ca.issueAuthority({ subject: "CN=One", usages: [SERVER_AUTH] });
      return one.issue({ subject: WRITTEN });
    },
  ],
  "an authority that has expired between": [
    "certificate_expired",
    async (ca) => {
      const one = await ca.issueAuthority({ subject: "CN=One", from: -3, until: -1 });
      return one.issue({ subject: WRITTEN });
    },
  ],
  "a NUL in a DNS name": [
    "certificate_of_another",
    (ca) => ca.issue({ names: [{ type: "dns", value: "jobs.example\0.evil.example" }] }),
    { name: "san_dns", value: "jobs.example" },
  ],
  "a wildcard": [
    "certificate_of_another",
    (ca) => ca.issue({ names: [{ type: "dns", value: "*.example" }] }),
    { name: "san_dns", value: "jobs.example" },
  ],
  "the DNS name as its subject": [
    "certificate_of_another",
    (ca) => ca.issue({ subject: "CN=jobs.example" }),
    { name: "san_dns", value: "jobs.example" },
  ],
  "the name as one of another kind": [
    "certificate_of_another",
    (ca) => ca.issue({ names: [{ type: "email", value: "a@jobs.example" }] }),
    { name: "san_dns", value: "jobs.example" },
  ],
};
