#!/usr/bin/env node
import { run } from './program.js';

// Whoever reads the output may have seen enough: `fairlead agents list | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const exitCode = await run(process.argv.slice(2));
if (exitCode !== 0) process.exitCode = exitCode;
