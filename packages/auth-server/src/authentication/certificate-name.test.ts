import { expect, test } from "vitest";
import { CERTIFICATE_NAMES, type CertificateName } from "../clients/client.ts";
import { comparableName } from "./certificate-name.ts";

const dn = (value: string): string | undefined => comparableName({ name: "subject_dn", value });

/** RFC 4514 §4 and RFC 5280 §7.1: one name, in whatever spelling. */
const SAME: readonly (readonly [string, string])[] = [
  ["CN=a,O=b", "cn=A, o=B"],
  ["CN=a,O=b", "2.5.4.3=a,2.5.4.10=b"],
  ["CN=a,O=b", " CN = a , O = b "],
  ["CN=a+UID=7,O=b", "UID=7+CN=a,O=b"],
  ['CN=James \\"Jim\\" Smith\\, III', "CN=James \\22Jim\\22 Smith\\2c III"],
  ["CN=Before\\0dAfter\\=x".replace("\\0d", "\\3d"), "CN=Before\\=After\\=x"],
  ["CN=Lučić", "CN=Lu\\C4\\8Di\\C4\\87"],
  ["CN=Lučić", "CN=#0c074c75c48d69c487"],
  ["CN=a", "CN=#0c0161"],
  ["CN=a", "CN=#130161"],
  ["CN=a  b", "CN=A B"],
  ["CN=\\ a\\ ", "CN=a"],
  ["CN=ﬁle", "CN=file"],
  ["emailAddress=a@b", "1.2.840.113549.1.9.1=A@b"],
  ["1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869"],
];

test.each(SAME)("M3: one subject: %s and %s", (one, other) => {
  expect(dn(one)).toBeDefined();
  expect(dn(one)).toBe(dn(other));
});

const OTHERS: readonly (readonly [string, string])[] = [
  ["CN=a,O=b", "O=b,CN=a"],
  ["CN=a,O=b", "CN=a"],
  ["CN=a,O=b", "CN=a+O=b"],
  ["CN=a,O=b", "CN=a\\,O=b"],
  ["CN=a,CN=a", "CN=a"],
  ["CN=a", "O=a"],
  ["CN=admın", "CN=admin"],
  ["CN=аdmin", "CN=admin"],
  ["CN=#0c0161", "CN=\\#0c0161"],
  ["CN=ab", "CN=a b"],
];

test.each(OTHERS)("M3: two subjects: %s and %s", (one, other) => {
  expect([dn(one), dn(other)]).not.toContain(undefined);
  expect(dn(one)).not.toBe(dn(other));
});

const NONE: Readonly<Record<CertificateName["name"], readonly string[]>> = {
  subject_dn: [
    "",
    "a",
    "=a",
    "CN",
    "CN=a,",
    ",CN=a",
    "CN=a,,O=b",
    "CN=a+",
    "CN=a;O=b",
    'CN="a"',
    "CN=a\\",
    "CN=a\\g",
    "CN=a\\00b",
    "CN=a\0b",
    "CN=\\ff",
    "CN=#0c",
    "CN=#0c0161ff",
    "CN=#xy",
    "FOO=a",
    "1..2=a",
    "CN=a<b",
    "/CN=a/O=b",
    `CN=${" ".repeat(2000)}"`,
    `${"CN=a,".repeat(400)}x`,
  ],
  san_dns: ["", "*.a.example", "a..b", ".a", "a.", "-a", "a b", "a\0b", "a/b", "a".repeat(64)],
  san_uri: ["", "a", "spiffe:// a", "https://a/\0", "https://é"],
  san_ip: ["", "1.2.3", "1.2.3.4/32", "256.1.1.1", "01.2.3.4", "::1%lo", "[::1]", "a"],
  san_email: ["", "a", "@a", "a@", "a@b\0", "a b@c", "a@*.b"],
};

test.each(CERTIFICATE_NAMES.flatMap((name) => NONE[name].map((value) => ({ name, value }))))(
  "M3: no name of a certificate: $name $value",
  (name) => {
    expect(comparableName(name)).toBeUndefined();
  },
);

test("M3: alternative names in one spelling", () => {
  const same = (name: CertificateName["name"], ...values: string[]): void => {
    expect(new Set(values.map((value) => comparableName({ name, value }))).size).toBe(1);
    expect(comparableName({ name, value: values[0] ?? "" })).toBeDefined();
  };
  same("san_dns", "bücher.example", "xn--bcher-kva.example", "BÜCHER.example");
  same("san_ip", "2001:db8::1", "2001:DB8:0:0:0:0:0:1");
  same("san_email", "a@B.example", "a@b.example");
  const email = (value: string) => comparableName({ name: "san_email", value });
  expect(email("A@b.example")).not.toBe(email("a@b.example"));
});
