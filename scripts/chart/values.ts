import { parse } from 'yaml';

/** A value of the chart, as values.yaml tells of it. */
export type Value = {
  /** Its name, behind those of the groups that it is in, with dots between. */
  path: string;
  paragraph: string;
  /** What it may be, as JSON Schema has it. */
  schema: Record<string, unknown>;
  default: unknown;
};

const LINE = /^(?<indent> *)(#(?<comment>.*)|(?<name>\w+):.*)$/;
const SCHEMA = /^@schema (.+)$/;

/**
 * Reads values.yaml: above each value a paragraph for people, and as its last line `# @schema` with what it may be.
 * A name without either is a group of values, which are two spaces further in; what a value holds is its own.
 */
export function readValues(text: string): { values: Value[]; faults: string[] } {
  const defaults: unknown = parse(text, { version: '1.1' });
  const values: Value[] = [];
  const faults: string[] = [];
  let group: string | undefined;
  let comment: string[] = [];
  let heldFrom = Number.POSITIVE_INFINITY;
  text.split('\n').forEach((line, index) => {
    const groups = LINE.exec(line)?.groups;
    const indent = groups?.indent ?? '';
    if (groups?.comment !== undefined) {
      comment.push(groups.comment.trim());
      return;
    }
    const paragraphOf = comment;
    comment = [];
    if (groups?.name === undefined || indent.length >= heldFrom) return;
    heldFrom = Number.POSITIVE_INFINITY;
    const schema = SCHEMA.exec(paragraphOf.at(-1) ?? '')?.[1];
    const path = indent === '' ? groups.name : `${group ?? ''}.${groups.name}`;
    if (schema === undefined) {
      const isGroup = indent === '' && line.endsWith(':') && paragraphOf.length === 0;
      if (isGroup) group = groups.name;
      else faults.push(`values.yaml:${index + 1}: nothing says what ${path} may be`);
      return;
    }
    const paragraph = paragraphOf.slice(0, -1).join(' ');
    if (paragraph === '') faults.push(`values.yaml:${index + 1}: no paragraph explains ${path}`);
    heldFrom = indent.length + 2;
    values.push({ path, paragraph, schema: readSchema(schema), default: held(defaults, path) });
  });
  return { values, faults };
}

/** Values that no template reads, and names that templates read and nobody can set. */
export function strayValues(values: readonly Value[], templates: ReadonlyMap<string, string>): string[] {
  const read = new Map<string, string>();
  for (const [file, text] of templates) {
    for (const [, path = ''] of text.matchAll(/\.Values\.((?:\w+\.?)+)/g))
      read.set(path.replace(/\.$/, ''), file);
  }
  const known = values.map(({ path }) => path);
  return [
    ...known
      .filter((path) => ![...read.keys()].some((each) => isAt(each, path)))
      .map((path) => `no template reads ${path}`),
    ...[...read]
      .filter(([path]) => !known.some((each) => isAt(each, path) || isAt(path, each)))
      .map(([path, file]) => `${file} reads ${path}, which is no value`),
  ];
}

/** Whether a template that reads one path reads the other, as a whole or as a part of it. */
function isAt(read: string, path: string): boolean {
  return read === path || path.startsWith(`${read}.`);
}

function readSchema(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

function held(from: unknown, path: string): unknown {
  return path.split('.').reduce((at, name) => (at as Record<string, unknown>)[name], from);
}
