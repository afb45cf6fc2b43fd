import ts from 'typescript';

const GROUPS = new Set(['describe']);
const TESTS = new Set(['it', 'test']);

/**
 * The full titles of the tests in a spec file, as they are written: the titles of the groups and its own with a space
 * between, placeholders and all. Tests that do not run are left out, with those of groups that do not.
 */
export function titlesIn(path: string, text: string): string[] {
  const titles: string[] = [];
  const tests = new Set(TESTS);
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    const made = ts.isVariableDeclaration(node) ? madeAtOnce(node) : undefined;
    if (made !== undefined) tests.add(made);
    const call = ts.isCallExpression(node) ? callOf(node, tests) : undefined;
    if (call === undefined || !ts.isCallExpression(node)) {
      ts.forEachChild(node, (child) => visit(child, groups));
      return;
    }
    const { name, isLeftOut, title } = call;
    if (isLeftOut) return;
    if (tests.has(name)) titles.push([...groups, title].join(' '));
    else for (const argument of node.arguments) visit(argument, [...groups, title]);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true), []);
  return titles;
}

/** The name of what stands for `it` where tests are begun together: `const meanwhile = atOnce()`. */
function madeAtOnce({ name, initializer }: ts.VariableDeclaration): string | undefined {
  if (initializer === undefined || !ts.isCallExpression(initializer)) return undefined;
  const { expression } = initializer;
  if (!ts.isIdentifier(expression) || expression.text !== 'atOnce') return undefined;
  return ts.isIdentifier(name) ? name.text : undefined;
}

/** What is called where it is a group or a test with a title: `it`, `it.each(...)`, `describe.skip` and the like. */
function callOf(
  node: ts.CallExpression,
  tests: ReadonlySet<string>,
): { name: string; isLeftOut: boolean; title: string } | undefined {
  const [first] = node.arguments;
  if (first === undefined) return undefined;
  let callee: ts.Expression = node.expression;
  const members: string[] = [];
  while (!ts.isIdentifier(callee)) {
    if (ts.isCallExpression(callee)) callee = callee.expression;
    else if (ts.isTaggedTemplateExpression(callee)) callee = callee.tag;
    else if (ts.isPropertyAccessExpression(callee)) {
      members.push(callee.name.text);
      callee = callee.expression;
    } else return undefined;
  }
  const name = callee.text;
  const title = titleOf(first);
  if (title === undefined || !(GROUPS.has(name) || tests.has(name))) return undefined;
  return { name, title, isLeftOut: members.some((member) => member === 'skip' || member === 'todo') };
}

function titleOf(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
}
