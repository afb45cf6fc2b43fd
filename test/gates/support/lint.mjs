// Lints texts as if they stood in files of the project: one process for all, since the linter reads the whole project.
import { text } from 'node:stream/consumers';
import { ESLint } from 'eslint';

const eslint = new ESLint();
const found = {};
for (const [path, content] of Object.entries(JSON.parse(await text(process.stdin)))) {
  const [report] = await eslint.lintText(content, { filePath: path });
  found[path] = report.messages.map(({ ruleId, line }) => `${ruleId}:${line}`);
}
process.stdout.write(JSON.stringify(found));
