// Loaded before a program by `--import`: it tells each step that it takes on the disk on stderr, and kills itself as it is about
// to take the one that DIES_AT_STEP counts to.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

const last = Number(process.env.DIES_AT_STEP);
let steps = 0;

function step(verb, path) {
  steps += 1;
  fs.writeSync(2, `step ${verb} ${basename(path)}\n`);
  if (steps === last) process.kill(process.pid, 'SIGKILL');
}

const { promises } = fs;
for (const verb of ['mkdir', 'link', 'rename', 'rm']) {
  const act = promises[verb];
  promises[verb] = (path, ...given) => {
    step(verb, path);
    return act(path, ...given);
  };
}
const { open } = promises;
promises.open = async (path, flags = 'r', ...given) => {
  if (flags !== 'r') step('open', path);
  const file = await open(path, flags, ...given);
  for (const verb of ['writeFile', 'sync']) {
    const act = file[verb].bind(file);
    file[verb] = (...written) => {
      step(verb, path);
      return act(...written);
    };
  }
  return file;
};
syncBuiltinESMExports();
