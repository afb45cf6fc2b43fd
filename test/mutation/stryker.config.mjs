import { fileURLToPath } from 'node:url';
import { MUTATED } from './scope.mjs';

export default {
  mutate: MUTATED,
  plugins: [fileURLToPath(new URL('runner.mjs', import.meta.url))],
  testRunner: 'decisions',
  buildCommand: 'node test/mutation/compile.mjs',
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // Endless loops end by a count of their turns; a busy machine is none.
  timeoutMS: 120_000,
  ignorePatterns: ['/dist', '/bench', '/docs', '/helm', '/test/mutation/node_modules', '.scratch-*'],
  tempDirName: '.scratch-mutation',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  jsonReporter: { fileName: 'test/mutation/results/mutation.json' },
  clearTextReporter: { logTests: false, reportTests: false, reportMutants: false, allowColor: false },
  thresholds: { high: 90, low: 80, break: 80 },
  disableTypeChecks: true,
};
