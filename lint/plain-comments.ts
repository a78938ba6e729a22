/** The lint rule `daykey/plain-comments`: words that make a reader go back (CONTRIBUTING.md, How we write). */

interface Comment {
  readonly value: string;
}

interface Context {
  readonly sourceCode: { getAllComments(): readonly Comment[] };
  report(finding: { node: Comment; message: string }): void;
}

const MESSAGE = 'No comment begins with "Of" or holds "as ever" or "so many": say it with a verb.';

const BEGINS_WITH_OF = /^[\s*]*Of\s/;
const HABITS = /\b(?:as[\s*]+ever|so[\s*]+many)\b/i;

export const plainComments = {
  create: (context: Context) => ({
    Program() {
      for (const node of context.sourceCode.getAllComments()) {
        if (BEGINS_WITH_OF.test(node.value) || HABITS.test(node.value)) {
          context.report({ node, message: MESSAGE });
        }
      }
    },
  }),
};
