/** How the articles' own programs tell a failure, by its status. */
export const SENTENCES: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  429: "Request limit exceeded. Please try again later.",
};
