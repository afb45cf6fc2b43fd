// Runs the specs of decisions within Stryker's own process: they need no container, no database and no clock, so that a
// mutant costs milliseconds, and not the start of a test runner.
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import { SPECS } from './scope.mjs';

/** What the mutated code looks at, by the name that the instrumentation has for it. */
const switches = (globalThis.__stryker__ ??= {});

class Decisions {
  /** The tests of each spec file that was loaded. */
  files = new Map();

  capabilities() {
    // What is computed as a file loads is computed once a process: Stryker starts another for mutants of it.
    return { reloadEnvironment: false };
  }

  async dryRun({ coverageAnalysis }) {
    const result = await this.run(specs(), () => true, { bail: false });
    return coverageAnalysis === 'off' ? result : { ...result, mutantCoverage: switches.mutantCoverage };
  }

  async mutantRun({ activeMutant, mutantActivation, testFilter, sandboxFileName, disableBail, hitLimit }) {
    // The specs beside the mutated file come first: most mutants meet their test in the first file that is loaded.
    const files = specs().sort(
      (one, other) => distance(one, sandboxFileName) - distance(other, sandboxFileName),
    );
    if (mutantActivation === 'runtime') for (const file of files) await this.load(file);
    switches.activeMutant = activeMutant.id;
    switches.hitLimit = hitLimit;
    switches.hitCount = hitLimit === undefined ? undefined : 0;
    const asked = testFilter === undefined ? undefined : new Set(testFilter);
    const result = await this.run(files, ({ title }) => asked?.has(title) ?? true, { bail: !disableBail });
    const timeout = determineHitLimitReached(switches.hitCount, hitLimit);
    switches.activeMutant = undefined;
    return toMutantRunResult(timeout ?? result);
  }

  async load(file) {
    const loaded = this.files.get(file);
    if (loaded !== undefined) return loaded;
    const { tests } = await import(pathToFileURL(resolve('test/mutation/words.mjs')).href);
    const from = tests.length;
    await import(pathToFileURL(resolve(file)).href);
    this.files.set(file, tests.slice(from));
    return this.files.get(file);
  }

  async run(files, isAsked, { bail }) {
    const results = [];
    for (const file of files) {
      const tests = await this.load(file).catch((error) => [failing(file, error)]);
      for (const test of tests) {
        if (!isAsked(test) && test.file !== file) continue;
        switches.currentTestId = test.title;
        const result = await tried(test);
        switches.currentTestId = undefined;
        results.push(result);
        if (bail && result.status === TestStatus.Failed)
          return { status: DryRunStatus.Complete, tests: results };
      }
    }
    return { status: DryRunStatus.Complete, tests: results };
  }
}

/** A file that a mutant keeps from loading has caught it. */
function failing(file, error) {
  return { file, title: `${file} loads`, act: () => Promise.reject(error) };
}

/** How far a spec stands from a source: beside it with its name, in its folder, or elsewhere. */
function distance(spec, source) {
  const [stem, folder] = [spec.replace(/\.spec\.js$/, ''), spec.slice(0, spec.lastIndexOf('/'))];
  if (resolve(source).endsWith(`/${stem}.ts`)) return 0;
  return resolve(source).includes(`/${folder}/`) ? 1 : 2;
}

async function tried({ title, act }) {
  const startedAt = Date.now();
  const result = { id: title, name: title };
  const timed = () => ({ ...result, timeSpentMs: Date.now() - startedAt });
  try {
    await act();
    return { ...timed(), status: TestStatus.Success };
  } catch (error) {
    return { ...timed(), status: TestStatus.Failed, failureMessage: String(error?.message ?? error) };
  }
}

function specs() {
  return SPECS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.spec.js'))
      .map((name) => `${folder}/${name}`),
  );
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'decisions', Decisions)];
