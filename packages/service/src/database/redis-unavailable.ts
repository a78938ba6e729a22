import { OWN_MESSAGE } from "@daykey/common/own-message";

/** Redis cannot be reached, or does not answer in time, or refuses a command. Answered 503. */
export class RedisUnavailable extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "RedisUnavailable";
  /** What Redis calls its refusal, such as OOM, READONLY or WRONGPASS; undefined when it did not refuse. */
  readonly refusal: string | undefined;
  /** In a few words that follow the name of what failed. */
  readonly reason: string;

  /** @param address host and port, without credentials */
  constructor(
    address: string,
    { cause, refusal }: { cause: unknown; refusal: string | undefined },
  ) {
    const reason = refusal === undefined ? unreachable(cause) : `refuses (${refusal})`;
    super(`Redis at ${address} ${reason}.`, { cause });
    this.refusal = refusal;
    this.reason = reason;
  }
}

function unreachable(cause: unknown): string {
  const code: unknown = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const isCode = typeof code === "string" && /^\w{1,64}$/.test(code);
  return isCode ? `cannot be reached (${code})` : "cannot be reached, or does not answer in time";
}
