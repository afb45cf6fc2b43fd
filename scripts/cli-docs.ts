/**
 * docs/cli.md: every command with its arguments and options, the exit codes and the variables, from the commands
 * themselves.
 *
 *     node dist/scripts/cli-docs.js            writes it
 *     node dist/scripts/cli-docs.js --check    exit code 1 where what is committed differs
 */
import { manualPage } from '../src/cli/manual/page.js';
import { hold } from './committed.js';

hold(
  { files: new Map([['docs/cli.md', manualPage()]]), writtenBy: 'npm run cli:write' },
  process.argv.slice(2),
);
