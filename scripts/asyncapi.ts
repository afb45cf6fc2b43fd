/**
 * docs/asyncapi.json: the description of the control channel, from the readers and tables of `src/protocol`.
 *
 *     node dist/scripts/asyncapi.js            writes it
 *     node dist/scripts/asyncapi.js --check    exit code 1 where what is committed differs
 */
import { BROKER_FRAMES, HUB_FRAMES } from '../src/protocol/parse.js';
import { documentOf } from './asyncapi/document.js';
import { hold } from './committed.js';

const content = `${JSON.stringify(documentOf(BROKER_FRAMES, HUB_FRAMES), undefined, 2)}\n`;
hold(
  { files: new Map([['docs/asyncapi.json', content]]), writtenBy: 'npm run asyncapi:write' },
  process.argv.slice(2),
);
