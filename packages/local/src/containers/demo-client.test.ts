/** `docker compose run --rm demo`, whatever operators did to its client. */
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { API } from "@daykey/auth-server/test/auth-server";
import { expect, test } from "vitest";
import {
  asAdmin,
  authServer,
  logIn,
  open,
  pathOf,
  put,
  read,
  useSetUp,
} from "../../test/set-up.ts";
import { callProgram, ensureDemoClient } from "./demo-client.ts";

useSetUp();

const CLI = fileURLToPath(new URL("../../../cli/bin/daykey.mjs", import.meta.url));

/** The status of a token request with what it left. */
async function demo(): Promise<{ clientId: string; status: number; printed: string[] }> {
  const printed: string[] = [];
  const env = {
    ...process.env,
    DAYKEY_CREDENTIAL_FILE: pathOf("admin"),
    DAYKEY_ADMIN_URL: authServer().privateUrl,
    DAYKEY_ALLOW_HTTP: "true",
  };
  const file = await ensureDemoClient({
    path: pathOf("demo"),
    resource: API,
    daykey: (...args) => callProgram(process.execPath, [CLI, ...args], env),
    print: (line) => void printed.push(line),
  });
  await authServer().look();
  return { clientId: file.client_id, status: await logIn(file), printed };
}

test("it has a client that works, after each of the ways to take it away", async () => {
  const clients = await open();
  await clients.ensureAdmin(pathOf("admin"));
  await clients.ensureResourceServer(pathOf("resource-server"));
  await put("admin", {
    ...(await read("admin")),
    token_endpoint: `${authServer().url}/oauth2/token`,
  });
  await authServer().look();

  const first = await demo();
  expect(first).toMatchObject({ clientId: "demo", status: 200 });
  expect(first.printed).toEqual([expect.stringMatching(/^daykey clients create demo /)]);
  expect(await demo()).toEqual({ ...first, printed: [] });

  expect(await asAdmin("DELETE", "/clients/demo")).toBe(204);
  expect(await demo()).toMatchObject({ clientId: "demo-2", status: 200 });
  expect(await asAdmin("DELETE", "/clients/demo-2")).toBe(204);
  await rm(pathOf("demo"));
  expect(await demo()).toMatchObject({ clientId: "demo-3", status: 200 });

  await authServer().database.query(
    "update daykey.secrets set expires_at = now() where client_id = 'demo-3'",
  );
  const renewed = await demo();
  expect(renewed).toMatchObject({ clientId: "demo-3", status: 200 });
  expect(renewed.printed).toEqual([expect.stringMatching(/^daykey secrets rotate demo-3 /)]);

  await authServer().database.query(
    "update daykey.clients set enabled = false where client_id = 'demo-3'",
  );
  await expect(demo()).rejects.toThrow(
    "The client demo-3 is disabled: docker compose run --rm cli clients enable demo-3",
  );
});
