/**
 * Who runs a block of commands that cannot be run beside the document: `run by <file>`.
 *
 * A workflow has each of its commands, word by word, as a line of a step. So has a script, which a workflow runs. A spec
 * takes the commands from the document itself, by `commandsUnder(<document>, <heading>)`, and is of a suite of .ci/run.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { commandsIn } from './ci-steps.js';
import { commandsOf, readPage, type Block } from './page.js';

const WORKFLOWS = '.github/workflows';
const SPECS = 'test/deploy/';

type Workflow = { jobs?: Record<string, { steps?: { run?: string }[] }> };

/** @returns what is wrong with it; undefined where the file runs the block */
export function faultOfCarrier(file: string, path: string, block: Block): string | undefined {
  if (!existsSync(file)) return `there is no ${file}`;
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.spec.ts')) return faultOfSpec(file, text, path, block);
  const isWorkflow = file.startsWith(`${WORKFLOWS}/`);
  if (!isWorkflow && !runOfAll().some((command) => command.startsWith(`bash ${file}`)))
    return `no workflow runs ${file}`;
  const commands = isWorkflow ? runOf(text) : commandsIn(text);
  const missing = commandsIn(block.text).filter((command) => !commands.includes(command));
  return missing.length > 0 ? `${file} does not run ${missing.join(', ')}` : undefined;
}

/**
 * The commands under a heading of a document, as they stand there, one a line and in one piece.
 *
 * @throws where there are none
 */
export function commandsUnder(path: string, heading: string): string[] {
  const blocks = commandsOf(readPage(path, readFileSync(path, 'utf8')));
  const commands = blocks
    .filter((block) => block.heading === heading)
    .flatMap(({ text }) => commandsIn(text));
  if (commands.length === 0) throw new Error(`there are no commands under “${heading}” in ${path}`);
  return commands;
}

function faultOfSpec(file: string, text: string, path: string, { heading }: Block): string | undefined {
  if (!file.startsWith(SPECS)) return `${file} is not in ${SPECS}, which CI runs`;
  const taken = `commandsUnder('${path}', '${heading}')`;
  return text.includes(taken) ? undefined : `${file} does not have ${taken}`;
}

function runOf(workflow: string): string[] {
  const { jobs = {} } = parse(workflow) as Workflow;
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
  return steps.flatMap(({ run = '' }) => commandsIn(run));
}

function runOfAll(): string[] {
  if (!existsSync(WORKFLOWS)) return [];
  return readdirSync(WORKFLOWS).flatMap((name) => runOf(readFileSync(join(WORKFLOWS, name), 'utf8')));
}
