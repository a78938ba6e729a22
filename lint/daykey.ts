/** The lint plugin of this repository: rules that no other plugin has. */
import { noCurrentTime } from "./no-current-time.ts";
import { plainComments } from "./plain-comments.ts";

export default {
  meta: { name: "daykey" },
  rules: { "no-current-time": noCurrentTime, "plain-comments": plainComments },
};
