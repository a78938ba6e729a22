/** What the articles' routes take and answer. */
import { z } from "zod";

/** `YYYY-MM-DD HH:MM:SS`, UTC. */
const currentTime = z.object({
  currentTime: z.string().regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/),
});
export type CurrentTime = z.infer<typeof currentTime>;

/** Other members are ignored, as the articles' server does. */
export const primeQuestion = z.object({ number: z.union([z.bigint(), z.string()]) });
