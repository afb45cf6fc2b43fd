/**
 * Reads OpenMetrics 1.0 as a strict scraper does, and throws at whatever is not as
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md has it.
 */
export type Exemplar = { labels: Readonly<Record<string, string>>; value: number; timestampS: number };
export type Sample = {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
  exemplar: Exemplar | undefined;
};
export type Family = { type: string; unit: string; help: string; samples: Sample[] };

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
};
const LABELS = String.raw`\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\}`;
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf|[Nn]a[Nn])`;
const SAMPLE = new RegExp(
  `^([a-zA-Z_:][\\w:]*)(?:${LABELS})? (${NUMBER})(?: # ${LABELS} (${NUMBER}) (${NUMBER}))?$`,
);
const DESCRIPTOR = /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][\w:]*) (.*)$/;
const EXEMPLAR_MOST = 128;

export function readOpenMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n# EOF\n')) throw new Error('it does not end with # EOF');
  const families = new Map<string, Family>();
  let last: { name: string; family: Family } | undefined;
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const [, kind, name = '', rest = ''] = DESCRIPTOR.exec(line) ?? [];
    if (kind === undefined) {
      if (last === undefined) throw new Error(`a sample before any family: ${line}`);
      last.family.samples.push(sampleIn(line, last.name, last.family.type));
      continue;
    }
    if (last?.name !== name) {
      if (families.has(name)) throw new Error(`${name} comes twice`);
      last = { name, family: { type: 'unknown', unit: '', help: '', samples: [] } };
      families.set(name, last.family);
    } else if (last.family.samples.length > 0) throw new Error(`${name} is described after its samples`);
    describe(last.family, kind, rest);
  }
  for (const [name, family] of families) judge(name, family);
  expectNoClash(families);
  return families;
}

function describe(family: Family, kind: string, rest: string): void {
  if (kind === 'TYPE') family.type = rest;
  else if (kind === 'UNIT') family.unit = rest;
  else if (/^(?:[^"\\]|\\["\\n])*$/.test(rest)) family.help = rest;
  else throw new Error(`a help that is not escaped: ${rest}`);
}

function sampleIn(line: string, family: string, type: string): Sample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`no sample: ${line}`);
  const [, name = '', labels = '', value = '', ofExemplar, exemplarValue = '', timestamp = ''] = match;
  const suffixes = SUFFIXES[type];
  if (suffixes === undefined) throw new Error(`${family} is a ${type}`);
  if (!suffixes.some((suffix) => name === `${family}${suffix}`))
    throw new Error(`${name} is no sample of the ${type} ${family}`);
  const exemplar =
    ofExemplar === undefined
      ? undefined
      : { labels: labelsIn(ofExemplar), value: numberIn(exemplarValue), timestampS: numberIn(timestamp) };
  if (exemplar !== undefined) expectExemplar(exemplar, name);
  return { name, labels: labelsIn(labels), value: numberIn(value), exemplar };
}

function labelsIn(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', value = '']) => [
    label,
    value,
  ]);
  const labels = Object.fromEntries(pairs) as Record<string, string>;
  if (Object.keys(labels).length !== pairs.length) throw new Error(`a label comes twice: ${text}`);
  return labels;
}

function numberIn(text: string): number {
  return /inf$/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

function expectExemplar({ labels }: Exemplar, name: string): void {
  if (!/_(bucket|total)$/.test(name)) throw new Error(`${name} has an exemplar`);
  if (Object.entries(labels).flat().join('').length > EXEMPLAR_MOST)
    throw new Error(`the exemplar of ${name} is too long`);
}

function judge(name: string, { type, unit, samples }: Family): void {
  if (unit !== '' && !name.endsWith(`_${unit}`)) throw new Error(`${name} is not in ${unit}`);
  if (new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels]))).size < samples.length)
    throw new Error(`${name} has a sample twice`);
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0)))
    throw new Error(`the counter ${name} is below zero`);
  if (type === 'histogram') judgeHistogram(name, samples);
}

/** Of each set of labels: buckets that rise to `+Inf`, which is the count; a sum; exemplars within their own bucket. */
function judgeHistogram(name: string, samples: readonly Sample[]): void {
  const sets = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _le, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    sets.set(key, [...(sets.get(key) ?? []), sample]);
  }
  for (const [set, own] of sets) {
    const fail = (what: string) => new Error(`${name}${set}: ${what}`);
    const of = (suffix: string) => own.filter((sample) => sample.name === `${name}${suffix}`);
    let [bound, count] = [-Infinity, 0];
    for (const { labels, value, exemplar } of of('_bucket')) {
      const { le = '' } = labels;
      if (!/^(\+Inf|\d+\.\d+)$/.test(le)) throw fail(`the bound ${le} is not canonical`);
      const next = numberIn(le);
      if (next <= bound || value < count) throw fail(`the bucket of ${le} does not rise`);
      if (exemplar !== undefined && !(exemplar.value > bound && exemplar.value <= next))
        throw fail(`the exemplar ${exemplar.value} is not in the bucket of ${le}`);
      [bound, count] = [next, value];
    }
    if (bound !== Infinity) throw fail('there is no last bucket');
    const [total, sum, ...more] = [...of('_count'), ...of('_sum')];
    if (total?.value !== count || sum === undefined || more.length > 0)
      throw fail('count and sum do not fit the buckets');
  }
}

/** No sample of a family may have a name that another family, or one of its samples, has. */
function expectNoClash(families: ReadonlyMap<string, Family>): void {
  const taken = new Set<string>();
  for (const [name, { type }] of families) {
    for (const each of new Set([name, ...(SUFFIXES[type] ?? []).map((suffix) => `${name}${suffix}`)])) {
      if (taken.has(each)) throw new Error(`two families have ${each}`);
      taken.add(each);
    }
  }
}
