import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { run } from '../src/runtime/parts/tools';
import { metricsOfText } from '../src/prometheus-text';
import { ageOf } from '../src/observe/oldest';
import { alertRules, DEPLOY, PROMETHEUS_TIMEOUT_MS, prometheusTools } from './setup/prometheus';

/** What lies in deploy/ is right before anybody needs it. */

const RULES = join(DEPLOY, 'prometheus');
const runbook = readFileSync(join(DEPLOY, '..', 'docs', 'runbook.md'), 'utf8');

test('each alert has its entry in the runbook, and each entry its alert', () => {
  const alerts = alertRules();
  const entries = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title);
  expect(entries).toEqual(alerts.map(({ alert }) => alert));
  expect(alerts.map(({ annotations }) => annotations.runbook_url)).toEqual(entries.map((title) => `docs/runbook.md#${title.toLowerCase()}`));
  for (const { annotations, labels } of alerts) {
    expect([Boolean(annotations.summary), Boolean(annotations.description), ['page', 'ticket'].includes(labels.severity ?? '')]).toEqual([true, true, true]);
  }
});

test('each alert is tested both ways', () => {
  const { tests } = parse(readFileSync(join(RULES, 'alerts.test.yml'), 'utf8')) as { tests: { name: string; alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[] };
  const sides = tests.flatMap(({ alert_rule_test: asked }) => asked.map(({ alertname, exp_alerts: expected }) => `${alertname} ${expected.length > 0}`));
  expect(sides.sort()).toEqual(alertRules().flatMap(({ alert }) => [`${alert} false`, `${alert} true`]).sort());
});

test('promtool takes the configuration and the rules, and each alert fires as it should', async () => {
  const tools = await prometheusTools();
  if (!tools) return;
  await run(tools.promtool, ['check', 'config', '--syntax-only', 'prometheus.yml'], { cwd: RULES });
  await run(tools.promtool, ['check', 'rules', 'alerts.yml'], { cwd: RULES });
  await run(tools.promtool, ['test', 'rules', 'alerts.test.yml'], { cwd: RULES });
}, PROMETHEUS_TIMEOUT_MS);

test('the dashboard and its provisioning are whole', () => {
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana', 'fazenda.json'), 'utf8')) as { panels: { id: number; title: string; gridPos: { x: number; y: number; w: number; h: number } }[] };
  const places = dashboard.panels.map(({ gridPos }) => `${gridPos.x}/${gridPos.y}`);
  expect(new Set(places).size).toBe(places.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  for (const file of readdirSync(join(DEPLOY, 'grafana', 'provisioning'), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.yml')) expect(parse(readFileSync(join(DEPLOY, 'grafana', 'provisioning', file), 'utf8'))).toMatchObject({ apiVersion: 1 });
  }
});

describe('the age of a record that is not read', () => {
  test.each([0, 90, 1_000, 4_321, 119_000, 86_400_000])('%i ms is found to within a twentieth, in few questions', async (age) => {
    let asked = 0;
    const found = await ageOf(async (than) => (asked++, age > than));
    expect(Math.abs(found - age)).toBeLessThanOrEqual(Math.max(200, age * 0.05));
    expect(asked).toBeLessThanOrEqual(18);
  });
});

test("Prometheus' text is read with its labels, histograms and infinities", () => {
  const text = '# HELP a_seconds How long\n# TYPE a_seconds histogram\na_seconds_bucket{q="x,\\"y\\"",le="+Inf"} 3\na_seconds_sum{q="z"} 1.5\n# TYPE b_total counter\nb_total 7\nno sample\nc NaN\n';
  expect(metricsOfText(text)).toEqual([
    { name: 'a_seconds', help: 'How long', type: 'histogram', aggregator: 'sum', values: [
      { metricName: 'a_seconds_bucket', labels: { q: 'x,"y"', le: '+Inf' }, value: 3 }, { metricName: 'a_seconds_sum', labels: { q: 'z' }, value: 1.5 }] },
    { name: 'b_total', help: '', type: 'counter', aggregator: 'sum', values: [{ labels: {}, value: 7 }] },
    { name: 'c', help: '', type: 'gauge', aggregator: 'sum', values: [{ labels: {}, value: Number.NaN }] },
  ]);
});
