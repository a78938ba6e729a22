/** What keeps `npm start` from running, in one sentence for whoever started it. */
export class LocalError extends Error {
  override readonly name = "LocalError";
}
