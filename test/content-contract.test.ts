import fc from 'fast-check';
import { content } from '../workflows/content/definition';
import { domains } from '../workflows/domains';
import { fold } from '../workflows/kernel/lifecycle';
import { legalStory } from './setup/legal-story';

/** What the content domain shows at its doors is CONTRACTS §1 and §7, name by name. */

const taskId = '11111111-1111-4111-8111-111111111111';
const templateId = '00000000-0000-4000-8000-000000000001';
const SEED = { eventId: 'e-1', taskId, templateId, priority: 'low', modelType: 'local', timestamp: 1_700_000_000_123, userId: 'ana' };

const [created, cancelled] = content.doors;
if (created?.kind !== 'start' || cancelled?.kind !== 'mail') throw new Error('content has a door to start and one for mail');

describe('names', () => {
  test('every fact has its own topic', () => {
    expect(content.topics).toEqual({
      TaskCreated: 'task.created', TaskAssigned: 'task.assigned', ContentGenerated: 'content.generated', ValidationFailed: 'validation.failed',
      ContentValidated: 'content.validated', ContentStored: 'content.stored', TaskFailed: 'task.failed', TaskCancelled: 'task.cancelled',
    });
  });

  test('tasks come in by two topics and one group, also when we wrote the record', () => {
    expect(content.doors.map(({ kind, topic, group, foreignOnly }) => [kind, topic, group, foreignOnly])).toEqual([
      ['start', 'task.created', 'task-assignment-group', false],
      ['mail', 'task.cancel', 'task-cancel-group', false],
    ]);
  });

  test('commands, queries and the live path', () => {
    const { commands, queries, resources, live } = content.http;
    expect(commands.map(({ path, status, kind }) => [path, status, kind])).toEqual([
      ['/commands/create-task', 202, 'creates'], ['/commands/cancel-task', 202, 'concerns'],
    ]);
    expect(queries.map(({ path, statuses }) => [path, statuses])).toEqual([
      ['/tasks', ['pending', 'processing', 'validating', 'completed', 'failed', 'cancelled']],
    ]);
    expect(resources.map(({ path }) => path)).toEqual(['/templates']);
    expect([live.path, live.idField]).toEqual(['/ws/tasks/:id/status', 'taskId']);
  });

  test('no two facts or doors of all domains share a topic, but a start and its fact 1', () => {
    const topics = domains.flatMap((domain) => Object.values(domain.topics));
    expect(new Set(topics).size).toBe(topics.length);
    const mail = domains.flatMap(({ doors }) => doors.filter(({ kind }) => kind === 'mail').map(({ topic }) => topic));
    expect(mail.filter((topic) => topics.includes(topic))).toEqual([]);
  });
});

describe('the record on task.created', () => {
  const read = (message: object) => created.schema.safeParse(message);

  test('is the seven fields of the seed, every one of them needed', () => {
    expect(read(SEED).data).toEqual(SEED);
    for (const field of Object.keys(SEED)) {
      const { [field]: _gone, ...rest } = SEED as Record<string, unknown>;
      expect(read(rest).error?.issues.map(({ path }) => path.join('.'))).toEqual([field]);
    }
  });

  test.each<[string, object]>([
    ['taskId', { taskId: 'not-a-uuid' }], ['templateId', { templateId: '1' }], ['priority', { priority: 'urgent' }],
    ['modelType', { modelType: '' }], ['userId', { userId: 'x'.repeat(256) }], ['timestamp', { timestamp: 1.5 }],
    ['timestamp', { timestamp: -1 }], ['timestamp', { timestamp: '1700000000123' }], ['variables', { variables: 'x' }],
  ])('is refused for its %s when it is %j', (field, wrong) => {
    expect(read({ ...SEED, ...wrong }).error?.issues[0]?.path[0]).toBe(field);
  });

  test('may name variables of any JSON value, or say null, as Avro does', () => {
    const variables = { product: 'a hose', list: [1, { a: null }] };
    expect(read({ ...SEED, variables }).data).toEqual({ ...SEED, variables });
    expect(read({ ...SEED, variables: null }).success).toBe(true);
  });

  test('becomes fact 1 at its own time, without an empty place for variables', () => {
    const first = (message: object) => created.first({ message: read(message).data as never, headers: {}, sentAt: '2024-01-01T00:00:00.000Z' });
    expect(first({ ...SEED, variables: null })).toEqual({ id: taskId, type: 'TaskCreated', at: '2023-11-14T22:13:20.123Z', data: SEED });
    expect(first({ ...SEED, variables: { a: 1 } }).data).toEqual({ ...SEED, variables: { a: 1 } });
  });

  test('names one task, however its id is spelled', () => {
    const upper = { ...SEED, taskId: taskId.replace(/1/g, 'A'), templateId: templateId.toUpperCase() };
    expect(created.first({ message: read(upper).data as never, headers: {}, sentAt: '2024-01-01T00:00:00.000Z' }).id).toBe(taskId.replace(/1/g, 'a'));
  });
});

describe('the record on task.cancel', () => {
  const mailOf = (message: object) => cancelled.mail({ message: cancelled.schema.parse(message) as never, headers: {}, sentAt: '2024-01-01T00:00:00.000Z' });

  test.each<[object, object]>([
    [{ taskId }, { by: 'unknown', reason: null }],
    [{ taskId, reason: 'too dear' }, { by: 'unknown', reason: 'too dear' }],
    [{ taskId, reason: null, userId: 'ana' }, { by: 'ana', reason: null }],
  ])('%j is mail that says %j', (message, data) => expect(mailOf(message)).toEqual({ id: taskId, type: 'cancel', data }));

  test('without a task it is refused', () => expect(cancelled.schema.safeParse({ reason: 'x' }).success).toBe(false));
});

describe('task_view', () => {
  const columns = columnsOf(content.tables.join('\n'), 'task_view');

  test('begins with the columns of the contract, in their order and types', () => {
    expect(columns.slice(0, 7)).toEqual([
      'id UUID PRIMARY KEY', 'template_id UUID', 'status VARCHAR(50)', 'priority VARCHAR(20)',
      'created_at TIMESTAMP', 'completed_at TIMESTAMP', 'version INTEGER',
    ]);
    expect(content.view).toMatchObject({ table: 'task_view', key: 'id' });
  });

  test('has the indexes of the contract', () => {
    const sql = content.tables.join('\n');
    expect(sql).toContain('idx_task_view_status ON task_view(status)');
    expect(sql).toContain('idx_task_view_created_at ON task_view(created_at DESC)');
  });

  test('gets from every legal story a row that fills each of its columns', () => {
    fc.assert(
      fc.property(legalStory, (story) => {
        const state = fold(content.lifecycle, story);
        const row: Readonly<Record<string, unknown>> = content.view.row(taskId, state, content.lifecycle.phase(state));
        expect(Object.keys(row).sort()).toEqual(columns.map((column) => column.split(' ')[0]).sort());
        const empty = columns.filter((column) => column.includes('NOT NULL') && (row[column.split(' ')[0] ?? ''] ?? null) === null);
        expect(empty).toEqual([]);
        expect([row.id, row.status, row.version]).toEqual([taskId, state.status, story.length]);
      }),
    );
  });

  test('says when a task was created and completed by its facts, not by a clock', () => {
    fc.assert(
      fc.property(legalStory, (story) => {
        const row = content.view.row(taskId, fold(content.lifecycle, story), 'working');
        expect(row.created_at).toBe(story[0]?.at);
        expect(row.completed_at).toBe(story.find(({ type }) => type === 'ContentStored')?.at ?? null);
      }),
    );
  });
});

describe('settings', () => {
  const limitsFor = (env: Record<string, string>) => content.limits(content.settings.parse(env));

  test('three attempts and a quarter of an hour, unless told otherwise', () => {
    expect(limitsFor({})).toEqual({ attemptsMax: 3, modelDeadlineMs: 15 * 60_000, modelCallTimeoutMs: 60_000 });
    expect(limitsFor({ TASK_ATTEMPTS_MAX: '5', MODEL_DEADLINE: '2h', MODEL_CALL_TIMEOUT: '1500' })).toEqual({
      attemptsMax: 5, modelDeadlineMs: 7_200_000, modelCallTimeoutMs: 1_500,
    });
  });

  test.each([{ TASK_ATTEMPTS_MAX: '0' }, { MODEL_DEADLINE: 'soon' }, { MODEL_DEADLINE: '0' }, { MODEL_CALL_TIMEOUT: '-5s' }])('%j is refused', (env) => {
    expect(content.settings.safeParse(env).success).toBe(false);
  });
});

/** The column definitions of a CREATE TABLE, as they are written. */
function columnsOf(sql: string, table: string): string[] {
  const [, body = ''] = new RegExp(`CREATE TABLE IF NOT EXISTS ${table} \\(\\n([^;]*)\\n\\);`).exec(sql) ?? [];
  return body.split('\n').map((line) => line.trim().replace(/,$/, ''));
}
