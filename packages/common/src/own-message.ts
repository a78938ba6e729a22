/**
 * The mark of an error class whose message is fixed text of ours. Only such messages are logged: the
 * message of any other error may quote what a caller sent.
 */
export const OWN_MESSAGE = Symbol("daykey.ownMessage");

/** An error that nobody needs to tell from others: its message, fixed text of ours, says all. */
export class PlainError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "PlainError";
}
