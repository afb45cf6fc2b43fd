/**
 * docs/access.md: what every route of a running hub answers to every kind of credential.
 *
 *     node dist/scripts/access.js            writes it
 *     node dist/scripts/access.js --check    exit code 1 where what is committed differs
 */
import 'reflect-metadata';
import { accessPage } from './access/page.js';
import { Stage } from './access/stage.js';
import { measureProjects } from './access/projects.js';
import { measure } from './access/table.js';
import { hold } from './committed.js';
import { withScratchDatabase } from './scratch-server.js';

const page = await withScratchDatabase(async (url) => {
  const stage = await Stage.set(url);
  try {
    return accessPage(await measure(stage), await measureProjects(stage));
  } finally {
    await stage.strike();
  }
});
hold(
  { files: new Map([['docs/access.md', page]]), writtenBy: 'npm run access:write' },
  process.argv.slice(2),
);
