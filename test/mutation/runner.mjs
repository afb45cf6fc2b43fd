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
  tests = undefined;

  capabilities() {
    // What is computed as a file loads is computed once a process: Stryker starts another for mutants of it.
    return { reloadEnvironment: false };
  }

  async dryRun({ coverageAnalysis }) {
    const result = await this.run(() => true, { bail: false });
    return coverageAnalysis === 'off' ? result : { ...result, mutantCoverage: switches.mutantCoverage };
  }

  async mutantRun({ activeMutant, mutantActivation, testFilter, disableBail, hitLimit }) {
    if (mutantActivation === 'runtime') await this.load();
    switches.activeMutant = activeMutant.id;
    switches.hitLimit = hitLimit;
    switches.hitCount = hitLimit === undefined ? undefined : 0;
    const asked = testFilter === undefined ? undefined : new Set(testFilter);
    const result = await this.run(({ title }) => asked?.has(title) ?? true, { bail: !disableBail });
    const timeout = determineHitLimitReached(switches.hitCount, hitLimit);
    switches.activeMutant = undefined;
    return toMutantRunResult(timeout ?? result);
  }

  async load() {
    if (this.tests !== undefined) return;
    const words = await import(pathToFileURL(resolve('test/mutation/words.mjs')).href);
    for (const name of specs()) await import(pathToFileURL(resolve(name)).href);
    this.tests = words.tests;
  }

  async run(isAsked, { bail }) {
    const results = [];
    try {
      await this.load();
    } catch (error) {
      // A mutant that does not even load is caught.
      const failure = { id: 'load', name: 'load', timeSpentMs: 0 };
      results.push({ ...failure, status: TestStatus.Failed, failureMessage: String(error) });
      return { status: DryRunStatus.Complete, tests: results };
    }
    for (const test of this.tests.filter(isAsked)) {
      switches.currentTestId = test.title;
      const result = await tried(test);
      results.push(result);
      if (bail && result.status === TestStatus.Failed) break;
    }
    switches.currentTestId = undefined;
    return { status: DryRunStatus.Complete, tests: results };
  }
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
