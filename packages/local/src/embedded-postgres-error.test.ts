import { expect, test } from "vitest";
import { explainFailure } from "./embedded-postgres-error.ts";

test.each([
  ["spawn EPERM", "Root may not run PostgreSQL as another user here: start as an ordinary user."],
  [
    'FATAL:  could not write lock file "postmaster.pid": No space left on device\n',
    "The disk that holds /place is full.",
  ],
  [
    "initdb: error: could not look up effective user ID 4242: user does not exist\n",
    "PostgreSQL cannot run as user id 4242, which has no entry in the password file.",
  ],
  [
    "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version 17, which is not compatible with this version 18.4.\n",
    "The database in /place was made by another version of PostgreSQL.",
  ],
  [
    "initdb: creating files\ninitdb: error: something new\ninitdb: removing files\n",
    "PostgreSQL in /place did not start: something new",
  ],
  ["", "PostgreSQL in /place did not start: it said nothing"],
])("what PostgreSQL wrote becomes one sentence: %j", (written, sentence) => {
  expect(explainFailure(new Error(written), "/place").message).toBe(sentence);
});
