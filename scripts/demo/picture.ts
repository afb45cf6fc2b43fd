/**
 * `npm run demo:picture`: draws docs/images/demo.svg from the outcome of a run of the demo, which it reads from its
 * standard input as `--json` prints it. A run in which not every step was proven is not drawn.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Outcome } from './demo.js';
import { layOut } from './picture/layout.js';
import { svgOf } from './picture/svg.js';

const PATH = 'docs/images/demo.svg';

const said = await text(process.stdin);
const outcome = JSON.parse(said.trimEnd().split('\n').at(-1) ?? '') as Outcome;
if (outcome.ok) {
  mkdirSync(dirname(PATH), { recursive: true });
  writeFileSync(PATH, svgOf(layOut(outcome.timeline)));
  process.stdout.write(`${PATH}\n`);
} else {
  process.stderr.write('the demo has not proven its steps; nothing is drawn\n');
  process.exitCode = 1;
}
