import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import { domainNamed } from '../../workflows/domains';
import type { Queryable } from '../facts/postgres';
import { inBatch } from './batch';
import { storyAttributes } from './messaging';
import { StoryTraces, type StoryTrace } from './stories';
import { tracing, type Span, type Tracing } from './tracing';

/** A story that an activity serves, as far as its arguments say. */
interface Asked {
  readonly id: string;
  readonly version?: number;
  /** The type of the fact that is to be recorded. */
  readonly type?: string;
}

/**
 * The same activities, each call in a span of the story that it serves, or of all of them; as they are where nothing
 * is recorded. They are watched from outside: the story itself knows of no trace, and histories are the same either way.
 */
export function tracedActivities(activities: Activities, db: Queryable): Activities {
  const recording = tracing();
  if (!recording) return activities;
  const stories = new StoryTraces(db);
  const entries = Object.entries(activities).map(([name, run]) => [
    name, (...args: unknown[]) => inActivity(recording, stories, name, args, () => (run as (...given: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(entries) as Activities;
}

async function inActivity(recording: Tracing, stories: StoryTraces, name: string, args: readonly unknown[], run: () => Promise<unknown>): Promise<unknown> {
  const startMs = Date.now();
  const { workflowExecution, attempt, isLocal, activityId } = Context.current().info;
  const workflowId = workflowExecution?.workflowId ?? '';
  const domain = domainOf(workflowId);
  const asked = askedOf(args);
  const known = await stories.of(domain, asked.map(({ id }) => id));
  const shared = {
    'temporal.activity.type': name, 'temporal.activity.attempt': attempt, 'temporal.activity.local': isLocal,
    temporalActivityID: activityId, temporalWorkflowID: workflowId, temporalRunID: workflowExecution?.runId,
  };
  const members = asked.map(({ id, version, type }) => ({
    span: {
      name: type ? `record ${type}` : `RunActivity:${name}`, kind: 'internal' as const, startMs,
      parent: known.get(id)?.trace, attributes: { ...shared, ...storyAttributes({ domain, id, version, type }) },
    },
  }));
  const whole = { name: `RunActivity:${name} batch`, kind: 'internal' as const, startMs, attributes: { ...shared, 'fazenda.domain': domain, 'fazenda.stories': asked.length } };
  return await inBatch(recording, whole, members, async (spans) => {
    const answer = await run();
    tellOutcomes(recording, domain, asked, known, spans, answer);
    return answer;
  });
}

/** Says in each span what became of what was asked, and of a story that has ended, in one span, how long it took. */
function tellOutcomes(
  recording: Tracing, domain: string, asked: readonly Asked[], known: ReadonlyMap<string, StoryTrace>, spans: readonly (Span | undefined)[], answer: unknown,
): void {
  const answerTo = answersOf(answer);
  for (const [at, one] of asked.entries()) {
    const answered = answerTo(one);
    if (!answered) continue;
    const told = toldBy(answered, one);
    spans[at]?.set({ 'fazenda.outcome': textAt(answered, 'outcome'), ...(told && { 'fazenda.fact': told.type }) });
    const story = known.get(one.id);
    const well = told && domainNamed(domain).cli.endings[told.type];
    if (story?.trace && told && well !== undefined) tellStory(recording, domain, one.id, story, told, well);
  }
}

/** A word is said of all that was asked; anything else names what it is of. */
function answersOf(answer: unknown): (asked: Asked) => object | undefined {
  if (typeof answer === 'string') return () => ({ outcome: answer });
  const answers = new Map((Array.isArray(answer) ? (answer as unknown[]) : [answer]).flatMap((one) => (isKeyed(one) ? [[keyOf(one), one] as const] : [])));
  return (asked) => answers.get(keyOf(asked));
}

interface ToldFact { readonly type: string; readonly version: number; readonly endMs: number }

/** The fact that a story asked for, where it was told by this very call. */
function toldBy(answered: object, { version, type }: Asked): ToldFact | undefined {
  if (version === undefined) return undefined;
  if (type !== undefined) return textAt(answered, 'outcome') === 'yours' ? { type, version, endMs: Date.now() } : undefined;
  const { facts }: { facts?: unknown } = answered;
  const [fact, ...more] = Array.isArray(facts) ? (facts as unknown[]) : [];
  const toldType = textAt(fact, 'type');
  return toldType !== undefined && more.length === 0 ? { type: toldType, version, endMs: Date.now() } : undefined;
}

function tellStory(recording: Tracing, domain: string, id: string, { trace, beganMs }: StoryTrace, { type, version, endMs }: ToldFact, well: boolean): void {
  recording.start({
    name: `story ${domain}`, kind: 'internal', parent: trace, startMs: Math.min(beganMs, endMs),
    attributes: { ...storyAttributes({ domain, id, version, type }), 'fazenda.ended_well': well },
  }).end(endMs);
}

/** Both kinds of workflow have their domain in their names: `<domain>/<id>` and `lane/<domain>/…`. */
function domainOf(workflowId: string): string {
  const [first = '', second = ''] = workflowId.split('/');
  return first === 'lane' ? second : first;
}

/** The last argument names the stories, as ids or as requests that have one; whatever comes before it is shared. */
function askedOf(args: readonly unknown[]): Asked[] {
  const last = args.at(-1);
  return (Array.isArray(last) ? (last as unknown[]) : [last]).flatMap((one): Asked[] => {
    if (typeof one === 'string') return [{ id: one }];
    if (!isKeyed(one)) return [];
    const type = 'fact' in one ? textAt(one.fact, 'type') : undefined;
    return [{ id: one.id, version: one.version, ...(type !== undefined && { type }) }];
  });
}

function isKeyed(one: unknown): one is { readonly id: string; readonly version: number } {
  return typeof one === 'object' && one !== null && 'id' in one && typeof one.id === 'string' && 'version' in one && typeof one.version === 'number';
}

function keyOf({ id, version }: Asked): string {
  return `${version} ${id}`;
}

function textAt(value: unknown, name: string): string | undefined {
  const held = typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] as unknown : undefined;
  return typeof held === 'string' ? held : undefined;
}
