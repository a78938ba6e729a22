/** The lint rule `daykey/no-current-time`: Date.now(), new Date() and Date() read the machine's clock. */

/** The little of ESTree and of oxlint's plugin interface that the rule uses. */
interface Node {
  readonly type: string;
  readonly name?: string;
  readonly object?: Node;
  readonly property?: Node;
}

interface Call extends Node {
  readonly callee: Node;
  readonly arguments: readonly Node[];
}

interface Context {
  report(finding: { node: Node; message: string }): void;
}

const MESSAGE = "Only commands.ts reads the machine's clock: take a Clock, which a test can set.";

const isDate = (node: Node | undefined): boolean => node?.name === "Date";

export const noCurrentTime = {
  create: (context: Context) => ({
    MemberExpression(node: Node) {
      if (isDate(node.object) && node.property?.name === "now") {
        context.report({ node, message: MESSAGE });
      }
    },
    NewExpression(node: Call) {
      if (isDate(node.callee) && node.arguments.length === 0) {
        context.report({ node, message: MESSAGE });
      }
    },
    CallExpression(node: Call) {
      if (isDate(node.callee)) context.report({ node, message: MESSAGE });
    },
  }),
};
