import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventStreamParser, EventStreamError, type ServerSentEvent } from "./sse.ts";

const bytes = (text: string): Buffer => Buffer.from(text);

function parse(...chunks: (string | Uint8Array)[]): ServerSentEvent[] {
  const push = createEventStreamParser({ maxEventLength: 100 });
  return chunks.flatMap((chunk) => push(typeof chunk === "string" ? bytes(chunk) : chunk));
}

const LIVE = { name: "live", data: "{}" };

describe("events (WHATWG HTML §9.2.6)", () => {
  test.each<[string, string, ServerSentEvent[]]>([
    ["a name and data", "event: live\ndata: {}\n\n", [LIVE]],
    ["data before its name", "data: {}\nevent: live\n\n", [LIVE]],
    ["no name", "data: x\n\n", [{ name: "message", data: "x" }]],
    ["no space, or two, after the colon", "event:live\ndata:  {}\n\n", [{ ...LIVE, data: " {}" }]],
    ["several lines of data", "data: a\ndata:\ndata: b\n\n", [{ name: "message", data: "a\n\nb" }]],
    ["a colon in data", "data: a:b\n\n", [{ name: "message", data: "a:b" }]],
    ["a field without a colon", "data\n\n", [{ name: "message", data: "" }]],
    ["two names: the last", "event: a\nevent: live\ndata: {}\n\n", [LIVE]],
    ["CRLF", "event: live\r\ndata: {}\r\n\r\n", [LIVE]],
    ["CR", "event: live\rdata: {}\r\r", [LIVE]],
    ["a byte order mark", "\uFEFFevent: live\ndata: {}\n\n", [LIVE]],
    ["comments and unknown fields", ": hello\nid: 1\nretry: 5\nx: y\nEVENT: a\n\n", []],
    [
      "a name without data is forgotten",
      "event: live\n\ndata: x\n\n",
      [{ name: "message", data: "x" }],
    ],
    ["many blank lines", "\n\n\nevent: live\ndata: {}\n\n\n\n", [LIVE]],
    ["what has not ended is none", "event: live\ndata: {}\n", []],
    ["other letters", "data: häß 漢 🔑\n\n", [{ name: "message", data: "häß 漢 🔑" }]],
    [
      "other line ends are none",
      "data: a\u2028b\u0085c\n\n",
      [{ name: "message", data: "a\u2028b\u0085c" }],
    ],
  ])("%s", (_title, text, events) => {
    expect(parse(text)).toEqual(events);
  });

  test("wherever the bytes are cut, the events are the same", () => {
    const text =
      ": häß\r\nevent: revocation\rdata: 漢🔑\r\n\r\ndata: a\ndata: b\n\n\revent: live\r\ndata: {}\n\r\n";
    const whole = parse(text);
    expect(whole.map(({ name }) => name)).toEqual(["revocation", "message", "live"]);
    const all = bytes(text);
    const cuts = fc.array(fc.nat(all.length), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (places) => {
        const edges = [0, ...places.toSorted((a, b) => a - b), all.length];
        const chunks = edges.slice(1).map((edge, i) => all.subarray(edges[i], edge));
        expect(parse(...chunks)).toEqual(whole);
      }),
    );
    expect(parse(...[...all].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });
});

describe("refused", () => {
  test.each([
    ["a stray byte", [Buffer.from([0x64, 0xff])]],
    ["an overlong form", [Buffer.from([0xc0, 0xaf])]],
    ["a surrogate", [Buffer.from([0xed, 0xa0, 0x80])]],
    ["a sequence broken off between chunks", [Buffer.from([0xe6]), bytes("x")]],
  ])("bytes that are not UTF-8: %s", (_title, chunks) => {
    expect(() => parse(...chunks)).toThrow(EventStreamError);
  });

  test.each([
    ["a line that never ends", ["data: ", ...Array<string>(95).fill("x")]],
    ["data that never ends", Array<string>(15).fill("data: x\n")],
    ["comments that never end", Array<string>(60).fill(":\n")],
    ["unknown fields", Array<string>(30).fill("id:\n")],
  ])("more than an event may have: %s", (_title, chunks) => {
    expect(() => parse(...chunks)).toThrow("an event is too long");
  });

  test("the limit is an event's, not the stream's", () => {
    const event = `event: live\ndata: ${"x".repeat(80)}\n\n`;
    expect(parse(...Array<string>(1000).fill(event))).toHaveLength(1000);
    expect(parse(event.repeat(1000))).toHaveLength(1000);
  });
});
