import { OWN_MESSAGE } from "@daykey/common/own-message";

/** What keeps a first start from its work, in one sentence for whoever started it. */
export class LocalError extends Error {
  readonly [OWN_MESSAGE] = true;
  override readonly name = "LocalError";
}
