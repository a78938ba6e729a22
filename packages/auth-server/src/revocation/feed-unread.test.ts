/** The feed's stream at a listener with short limits: a reader that reads nothing does not stay. */
import { connect } from "node:net";
import { createRevocationSet } from "@daykey/common/revocation";
import { type AppServer, startAppServer } from "@daykey/service/test/app-server";
import { afterEach, expect, test } from "vitest";
import { createFeedStream } from "./feed.ts";

let server: AppServer;
afterEach(() => server.stop());

test("D3: a feed that nobody reads has an end, and lets go of what it heard", async () => {
  let listeners = 0;
  const set = createRevocationSet();
  for (let number = 0; number < 60_000; number += 1) {
    const subject = `${number}`.padStart(200, "x");
    set.add({ kind: "grant", subject, epoch: undefined, expiresAt: undefined });
  }
  const liveSet = {
    current: () => set,
    ageSeconds: () => 0,
    subscribe() {
      listeners += 1;
      return () => void (listeners -= 1);
    },
  } as unknown as Parameters<typeof createFeedStream>[0]["liveSet"];
  server = await startAppServer({
    limits: { writeSeconds: 0.3, checkSeconds: 0.05, slowestBytesPerSecond: Infinity },
    addRoutes: (router) =>
      router.get("/feed", (ctx) => {
        ctx.body = createFeedStream({
          liveSet,
          lifeSeconds: 3600,
          stopping: new AbortController().signal,
        });
      }),
  });
  const socket = connect(server.port, "127.0.0.1").on("error", () => {});
  socket.pause();
  socket.write("GET /feed HTTP/1.1\r\nHost: a\r\n\r\n");
  await expect.poll(() => server.lines.map(({ reason }) => reason)).toContain("answer_not_read");
  await expect.poll(() => listeners).toBe(0);
  socket.destroy();
});
