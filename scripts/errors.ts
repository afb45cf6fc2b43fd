/**
 * docs/errors.md: every code that a client or a broker can meet, from the tables that hub and broker answer by.
 *
 *     node dist/scripts/errors.js            writes it
 *     node dist/scripts/errors.js --check    exit code 1 where what is committed differs
 */
import { remedyOfClose } from '../src/broker/connection/remedy.js';
import { PROBLEMS } from '../src/hub/problems/code.js';
import { CLOSE_CODES } from '../src/protocol/close-code.js';
import { ENDINGS } from '../src/protocol/ending-code.js';
import { hold } from './committed.js';

const INTRODUCTION = `# Errors

Every error of the public API is a problem document (RFC 9457, \`application/problem+json\`):

\`\`\`json
{
  "type": "urn:fairlead:problem:not_found",
  "title": "There is no such thing",
  "status": 404,
  "code": "not_found",
  "detail": "There is no such broker.",
  "remedy": "Check the address, the id or the name.",
  "requestId": "01997f5e-7a34-7c07-9d8e-3f1f9e0a1b2c"
}
\`\`\`

\`code\` is stable: programs decide by it. \`title\`, \`detail\` and \`remedy\` are for people and may be worded anew.
\`fields\`, where it is there, names what is wrong by path and rule, never by value. \`requestId\` is also the header
\`X-Request-Id\` of the answer, and stands in the hub's log. An answer of 429 or 503 says in \`Retry-After\` when to try
again.

What the \`fairlead\` command finds wrong by itself has codes as well (\`not_logged_in\`, \`hub_unreachable\`), and is told with its
remedy; what is wrong with an installation is in [doctor.md](doctor.md), and where to begin by what is seen in
[operations.md](operations.md#finding-faults).

This page is made from the code by \`npm run errors:write\`.
`;

const ENDING = `## How commands end

A command that ended as \`failed\`, \`expired\`, \`cancelled\` or \`dead\` has an \`error\`: a \`code\`, a \`message\` for people, and in
\`data.effect\`, where that is known, whether anything was done. \`fairlead dispatches get\` shows it. An op that a broker has of its own
may end with other codes, which its program explains.
`;

const CLOSING = `## Close codes of the control channel

How a hub ends the link of a broker, or a broker its own, by WebSocket close code. The broker acts on it by itself;
the last column is what its log says.
`;

function table(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
}

const problems = Object.entries(PROBLEMS).map(([code, { status, title, remedy }]) => [
  `<a id="${code}"></a>\`${code}\``,
  String(status),
  title,
  remedy,
]);
const endings = Object.entries(ENDINGS).map(([code, { meaning, remedy }]) => [
  `<a id="ending_${code}"></a>\`${code}\``,
  meaning,
  remedy,
]);
const closings = Object.entries(CLOSE_CODES).map(([reason, code]) => [
  String(code),
  `\`${reason}\``,
  sentence(remedyOfClose(code).advice),
]);

const content = [
  INTRODUCTION,
  '## Problems\n',
  `${table(['code', 'status', 'meaning', 'remedy'], problems)}\n`,
  ENDING,
  `${table(['code', 'meaning', 'remedy'], endings)}\n`,
  CLOSING,
  `${table(['close code', 'reason', 'what it means and what to do'], closings)}\n`,
].join('\n');

hold(
  { files: new Map([['docs/errors.md', content]]), writtenBy: 'npm run errors:write' },
  process.argv.slice(2),
);
