import { expect, test } from "vitest";

import { createTestLog } from "../../test/log.ts";
import {
  DatabaseUnavailable,
  isConnectionLost,
  isDatabaseUnavailable,
} from "./database-unavailable.ts";
import { createDatabase } from "./database.ts";

const withCode = (code: string) => Object.assign(new Error("x"), { code });

test.each(
  "ECONNREFUSED ECONNRESET ENOENT EPIPE 25P03 53300 57P01 57P02 57P03 08000 08006 08P01".split(" "),
)("%s is an unavailable database, and the end of the connection", (code) => {
  expect(isDatabaseUnavailable(withCode(code))).toBe(true);
  expect(isConnectionLost(withCode(code))).toBe(true);
});

test.each(["57014", "55P03", "53100", "53200"])(
  "%s is an unavailable database on a sound connection",
  (code) => {
    expect(isDatabaseUnavailable(withCode(code))).toBe(true);
    expect(isConnectionLost(withCode(code))).toBe(false);
  },
);

test.each([
  "timeout exceeded when trying to connect",
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "Query read timeout",
])("so is what pg only describes: %s", (message) => {
  expect(isDatabaseUnavailable(new Error(message))).toBe(true);
  expect(isConnectionLost(new Error(message))).toBe(true);
});

test("a connection attempt over several addresses that all fail is one", () => {
  const error = Object.assign(new AggregateError([withCode("ECONNREFUSED")]), {
    code: "ECONNREFUSED",
  });
  expect(isDatabaseUnavailable(error)).toBe(true);
});

test("DatabaseUnavailable itself is one", () => {
  expect(isDatabaseUnavailable(new DatabaseUnavailable())).toBe(true);
});

test.each([
  withCode("23505"),
  withCode("42P01"),
  withCode("40001"),
  new Error("x"),
  "x",
  undefined,
])("the failure of a statement, or of our code, is none (%#)", (error) => {
  expect(isDatabaseUnavailable(error)).toBe(false);
  expect(isConnectionLost(error)).toBe(false);
});

test("a file of certificates that is not there is told as that, not as a socket", async () => {
  const { log } = createTestLog();
  const file = "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem";
  const connectionString = `postgresql://daykey_app@127.0.0.1:1/daykey${file}`;
  const database = createDatabase({ connectionString, log });
  await expect(database.query({ text: "select 1" })).rejects.toThrow(
    "has a file of certificates in its URL that cannot be read (ENOENT)",
  );
  await database.close();
});
