/** What `daykey prime` and `time` make of an answer, when it is right and when it is not. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDesk, type Desk, type Outcome } from "../test/run-daykey.ts";

const PRIME = "18446744073709551557";
const STEPS = [
  `{"prime":${PRIME},"base":2,"factors":[2,11,137,547,5594472617641]}`,
  `{"prime":5594472617641,"base":13,"factors":[2,3,5,1427,2131,15331]}`,
].join();
const CERTIFIED = `{"number":${PRIME},"prime":true,"certainty":"proven","method":"pratt","certificate":{"type":"pratt","steps":[${STEPS}]}}`;

let desk: Desk;
let reply = "";
let asked: string | undefined;
const server = createServer(({ url }, response) => {
  asked = url;
  response.writeHead(200, { "content-type": "application/json" }).end(reply);
});

beforeAll(async () => {
  desk = await createDesk();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credential = {
    issuer: url,
    token_endpoint: `${url}/oauth2/token`,
    resource: url,
    client_id: "billing",
    client_secret: "dks_k3f9a1c2_3oDH4mEVFvp7u7ED6UzpF5eHPrBI5AHumY7UBpOQIJz_0k1H3W",
    salt: "00112233445566778899aabbccddeeff",
  };
  const options = { mode: 0o600 };
  await writeFile(join(desk.folder, "billing.json"), JSON.stringify(credential), options);
  await writeFile(join(desk.folder, "token"), "token", options);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await desk.remove();
});

function run(line: string, answer: string): Promise<Outcome> {
  reply = answer;
  const credential = ["--credential", "billing.json", "--token-file", "token"];
  return desk.run([...line.split(" "), ...credential]);
}

const proven = (number: string, prime: boolean, evidence = ""): string =>
  `{"number":${number},"prime":${prime},"certainty":"proven","method":"x"${evidence}}`;

test.each([
  [
    `prime ${PRIME} --verify`,
    CERTIFIED,
    `/primes/${PRIME}?certificate=true`,
    `${PRIME} is prime (proven)\nverified here: a certificate of 2 steps (Pratt)\n`,
  ],
  [
    "prime 15 --verify",
    proven("15", false, ',"witness":{"factor":3}'),
    "/primes/15?certificate=true",
    "15 is not prime (proven)\nverified here: 3 divides it\n",
  ],
  [
    "prime 2047 --verify",
    proven("2047", false, ',"witness":{"base":3}'),
    "/primes/2047?certificate=true",
    "2047 is not prime (proven)\nverified here: the strong test to base 3 fails (Miller-Rabin)\n",
  ],
  [
    "prime 97 --verify",
    proven("97", true),
    "/primes/97?certificate=true",
    "97 is prime (proven)\nverified here: by trial division\n",
  ],
  [
    "prime 1 --verify",
    proven("1", false),
    "/primes/1?certificate=true",
    "1 is not prime (proven)\nverified here: a prime is at least 2\n",
  ],
  [
    "prime 90 --next",
    proven("97", true),
    "/primes/90/next",
    "97 is the next prime after 90 (proven)\n",
  ],
  [
    "prime 100 --previous --verify",
    proven("97", true),
    "/primes/100/previous?certificate=true",
    "97 is the previous prime before 100 (proven)\nverified here: by trial division\n",
  ],
  ["time --format unix", '{"formatted":1795262400}', "/time?zone=UTC&format=unix", "1795262400\n"],
  [
    "time --nonce a&b --zone Europe/Paris",
    '{"local":"L","zone":"Z","nonce":"a&b"}',
    "/time?zone=Europe%2FParis&nonce=a%26b",
    "L Z\n",
  ],
])("daykey %s", async (line, answer, path, stdout) => {
  expect(await run(line, answer)).toEqual({ code: 0, stdout, stderr: "" });
  expect(asked).toBe(path);
});

const WRONG = "daykey: The answer is not verified: its evidence is wrong\n";
test.each([
  ["another number's answer", `prime ${PRIME} --verify`, CERTIFIED.replace(PRIME, "97"), WRONG],
  ["a forged certificate", `prime ${PRIME} --verify`, CERTIFIED.replace("547", "541"), WRONG],
  ["a wrong factor", "prime 15 --verify", proven("15", false, ',"witness":{"factor":7}'), WRONG],
  [
    "a prime called composite",
    "prime 97 --verify",
    proven("97", false, ',"witness":{"base":2}'),
    WRONG,
  ],
  ["a composite called prime", "prime 91 --verify", proven("91", true), WRONG],
  ["a next prime that is smaller", "prime 100 --next --verify", proven("97", true), WRONG],
  [
    "a next prime that is none",
    "prime 90 --next --verify",
    proven("91", false, ',"witness":{"factor":7}'),
    WRONG,
  ],
  [
    "no certificate",
    `prime ${PRIME} --verify`,
    proven(PRIME, true),
    "daykey: The answer comes without a proof, so it is not verified\n" +
      "A certificate of a large prime cannot always be had. Without --verify it is shown as it is.\n",
  ],
  [
    "another nonce",
    "time --nonce a",
    '{"local":"L","zone":"Z","nonce":"b"}',
    "daykey: The answer does not repeat the nonce\n",
  ],
])("%s is exit code 4, and not shown", async (_, line, answer, stderr) => {
  expect(await run(line, answer)).toEqual({ code: 4, stdout: "", stderr });
});

test("--next and --previous exclude each other", async () => {
  const { code, stderr } = await run("prime 7 --next --previous", "");
  expect([code, stderr]).toEqual([
    2,
    "daykey: --next and --previous exclude each other\nSee daykey prime --help.\n",
  ]);
});
