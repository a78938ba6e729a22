/**
 * Server-sent events (WHATWG HTML §9.2.6), read as their bytes come. Stricter than the standard, which
 * repairs: bytes that are not UTF-8 are refused. And bounded: no server can fill the memory with an
 * event that never ends.
 */
import { OWN_MESSAGE } from "@daykey/common/own-message";

export interface ServerSentEvent {
  /** `message` when the server names none. */
  name: string;
  data: string;
}

/** What came is no stream of events, or one event is too long. */
export class EventStreamError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "EventStreamError";
}

const LINE_END = /\r\n|\r|\n/;

/**
 * A function that takes the stream chunk by chunk, cut anywhere, and returns the events that are now
 * whole. `id` and `retry` are passed over: whoever reads on after a cut begins anew.
 * @param options.maxEventLength characters of one event with its names and comments
 * @throws {EventStreamError} from that function; it cannot be used afterwards
 */
export function createEventStreamParser({
  maxEventLength,
}: {
  maxEventLength: number;
}): (chunk: Uint8Array) => ServerSentEvent[] {
  // Drops the byte order mark that may stand at the beginning.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: true });
    } catch (cause) {
      throw new EventStreamError("the events are not UTF-8", { cause });
    }
  };
  let unfinished = "";
  let isAfterCr = false;
  let length = 0;
  let name = "";
  let data: string[] = [];

  function readField(line: string): void {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }

  return (chunk) => {
    const text = decode(chunk);
    if (text === "") return [];
    // A CR ended its line when it came; the LF that belongs to it ends no other.
    const rest = isAfterCr && text.startsWith("\n") ? text.slice(1) : text;
    isAfterCr = text.endsWith("\r");
    const lines = (unfinished + rest).split(LINE_END);
    unfinished = lines.pop() ?? "";

    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      length += line.length + 1;
      requireShort(length, maxEventLength);
      if (line !== "") {
        readField(line);
        continue;
      }
      // Without data there is no event, whatever its name.
      if (data.length > 0) events.push({ name: name || "message", data: data.join("\n") });
      length = 0;
      name = "";
      data = [];
    }
    requireShort(length + unfinished.length, maxEventLength);
    return events;
  };
}

function requireShort(length: number, max: number): void {
  if (length > max) throw new EventStreamError("an event is too long");
}
