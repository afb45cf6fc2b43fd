/**
 * The metrics of a registry as OpenMetrics 1.0, which alone has exemplars, for scrapers that ask for it.
 *
 * prom-client prints it, but renames the counters of the registry that it prints: the plain text would be another from then on.
 * So it is given a registry of its own, of metrics that ask the others for their values.
 */
import { Registry, type OpenMetricsContentType } from 'prom-client';

type Sample = { labels: Readonly<Record<string, string | number>> };
type Values = { name: string; values: readonly Sample[] };
type Metric = { readonly name: string; readonly type: string; get(): Promise<Values> };

const NAME = 'application/openmetrics-text';
const PLAIN = 'text/plain';

export async function openMetricsOf(
  registry: Registry,
): Promise<{ contentType: OpenMetricsContentType; text: string }> {
  const open = new Registry<OpenMetricsContentType>();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[])
    open.registerMetric(openOf(metric) as unknown as Parameters<Registry['registerMetric']>[0]);
  return { contentType: open.contentType, text: withUnits(await open.metrics()) };
}

/** The unit of a family is what its name ends with. */
function withUnits(text: string): string {
  return text.replace(/^# TYPE (\w+_(seconds|bytes)) .*$/gm, '$&\n# UNIT $1 $2');
}

function openOf(metric: Metric): Metric {
  const { type } = metric;
  // A family of counters is named without what each of its samples ends with; that is added where it is printed.
  const name = type === 'counter' ? metric.name.replace(/_total$/, '') : metric.name;
  return {
    name,
    type,
    get: async () => {
      const told = await metric.get();
      return { ...told, name, values: told.values.map(withCanonicalBound) };
    },
  };
}

/** Bounds of buckets are floating-point numbers here, of which a whole one ends with `.0`. */
function withCanonicalBound<S extends Sample>(sample: S): S {
  const { le } = sample.labels;
  if (le === undefined || !/^\d+$/.test(String(le))) return sample;
  return { ...sample, labels: { ...sample.labels, le: `${le}.0` } };
}

/**
 * Whether a scraper asks for OpenMetrics by its name, in the version that there is here, and no less than for plain text.
 *
 * @param accept the header of its request (RFC 9110)
 */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').map(rangeOf);
  const weightOf = (name: string, version: string): number => {
    const fitting = ranges.filter(
      (range) => range.name === name && [undefined, version].includes(range.version),
    );
    return Math.max(0, ...fitting.map(({ weight }) => weight));
  };
  const weight = weightOf(NAME, '1.0.0');
  return weight > 0 && weight >= weightOf(PLAIN, '0.0.4');
}

function rangeOf(text: string): { name: string; version: string | undefined; weight: number } {
  const [name = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase());
  const parameters = new Map(
    rest.map((part) => part.split('=', 2).map((word) => word.trim()) as [string, string]),
  );
  const weight = Number(parameters.get('q') ?? 1);
  return { name, version: parameters.get('version'), weight: weight > 0 ? weight : 0 };
}
