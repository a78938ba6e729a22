/**
 * A connection that `node:cluster` hands to a worker which dies before it takes it is nobody's: the
 * supervisor keeps its handle open, and the client waits for ever. Here such a handle is closed.
 */
import type { Worker } from "node:cluster";

interface Handle {
  close(): void;
}

interface Channel {
  send(message: Fields, handle?: Handle, ...rest: unknown[]): boolean;
  on(event: "internalMessage", listener: (message: Fields) => void): void;
}

type Fields = Partial<Record<"act" | "seq" | "ack", unknown>>;

const UNREAD_MS = 100;

/** Watches what is handed to a worker until it has said whether it takes it. */
export function closeUntakenConnections(worker: Worker): void {
  const handed = new Map<unknown, Handle>();
  const channel = worker.process as unknown as Channel;
  const send = channel.send.bind(channel);
  channel.send = (message, handle, ...rest) => {
    if (message.act === "newconn" && handle) handed.set(message.seq, handle);
    return send(message, handle, ...rest);
  };
  channel.on("internalMessage", ({ ack }) => void handed.delete(ack));
  worker.on("exit", () => {
    // What it said last may be unread still, and its channel may never be told closed.
    setTimeout(() => {
      for (const handle of handed.values()) handle.close();
    }, UNREAD_MS);
  });
}
