/** A metric as prom-client hands it on and merges it. */
export interface PageMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: { readonly value: number; readonly labels: Readonly<Record<string, string | number>>; readonly metricName?: string }[];
}

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) ?(.*)$/;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([-+]?(?:\d[\d.eE+-]*|Inf|NaN))(?: |$)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
/** What a histogram or a summary says under names longer than its own. */
const PARTS = /_(bucket|sum|count)$/;

/**
 * Prometheus' text as objects. Total: a line that is no sample is left out.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function metricsOfText(text: string): PageMetric[] {
  const types = new Map<string, string>();
  const helps = new Map<string, string>();
  const metrics = new Map<string, PageMetric>();
  for (const line of text.split('\n')) {
    const [, kind, named = '', said = ''] = COMMENT.exec(line) ?? [];
    if (kind !== undefined) (kind === 'TYPE' ? types : helps).set(named, said);
    const sample = line.startsWith('#') ? null : SAMPLE.exec(line);
    if (!sample) continue;
    const [, metricName = '', labels = '', value = ''] = sample;
    const name = types.has(metricName) ? metricName : metricName.replace(PARTS, '');
    const metric = metrics.get(name) ?? { name, help: helps.get(name) ?? '', type: types.get(name) ?? 'gauge', aggregator: 'sum', values: [] };
    metrics.set(name, metric);
    metric.values.push({ value: numberOf(value), labels: labelsOf(labels), ...(metricName !== name && { metricName }) });
  }
  return [...metrics.values()];
}

function numberOf(text: string): number {
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one))]));
}
