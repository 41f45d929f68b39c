import { z } from 'zod';
import type { Accepted, Ask, CommandContext, Domain, HttpCommand, MailDoor, StartDoor } from '../kernel/definition';
import { duration, instant } from '../kernel/settings';
import { contentAnalytics } from './analytics';
import { contentFacts } from './contracts';
import { contentLifecycle, type ContentFact, type ContentFacts, type ContentState } from './lifecycle';
import { cancelTask, createTask, taskCreated, type CancelTask, type CreateTask, type TaskCreated } from './messages';
import { GENERATOR_QUEUE } from './queue';
import { contentStatistics } from './statistics';
import { CONTENT_TABLES } from './tables';
import { READY_TEMPLATES, templates } from './templates';
import type { ContentLimits } from './workflow';

/** The group that takes tasks in; its name is a contract. */
const ASSIGNMENT_GROUP = 'task-assignment-group';

/** Cancels have a group of their own, so that they get in while the door of new tasks waits for room. */
const CANCEL_GROUP = 'task-cancel-group';

const created: StartDoor = {
  kind: 'start',
  topic: 'task.created',
  group: ASSIGNMENT_GROUP,
  schema: taskCreated,
  foreignOnly: false,
  first({ message }: { message: TaskCreated }) {
    const { variables, ...seed } = message;
    return {
      id: message.taskId,
      type: 'TaskCreated',
      at: new Date(message.timestamp).toISOString(),
      data: { ...seed, ...(variables && { variables }) },
    };
  },
};

const cancelled: MailDoor = {
  kind: 'mail',
  topic: 'task.cancel',
  group: CANCEL_GROUP,
  schema: cancelTask,
  foreignOnly: false,
  mail({ message }: { message: CancelTask }) {
    return { id: message.taskId, type: 'cancel', data: { by: message.userId ?? 'unknown', reason: message.reason ?? null } };
  },
};

const createTaskCommand: HttpCommand = {
  path: '/commands/create-task',
  status: 202,
  summary: 'Accept a content task',
  body: createTask,
  kind: 'creates',
  ownerField: 'userId',
  async check({ templateId, modelType }: CreateTask, ask: Ask) {
    const wrong = [];
    if (!(await ask.exists('templates', { id: templateId }))) wrong.push({ path: 'templateId', message: 'no such template' });
    if (!(await ask.exists('agents', { model_types: [modelType] }))) wrong.push({ path: 'modelType', message: 'no agent serves this model' });
    return wrong;
  },
  accept(body: CreateTask, { freshId, correlationId, at }: CommandContext): Accepted {
    const { taskId = freshId, templateId, priority, modelType, userId, variables } = body;
    const message: Omit<ContentFacts['TaskCreated'], 'eventId'> = {
      taskId, templateId, priority, modelType, timestamp: Date.parse(at), userId, ...(variables && { variables }),
    };
    const links = { self: `/tasks/${taskId}`, live: `/ws/tasks/${taskId}/status` };
    return {
      aggregateId: taskId, topic: 'task.created', key: taskId, type: 'TaskCreated', message,
      answer: { taskId, correlationId, status: 'pending', links },
    };
  },
};

const cancelTaskCommand: HttpCommand = {
  path: '/commands/cancel-task',
  status: 202,
  summary: 'Ask a content task to end',
  body: cancelTask,
  kind: 'concerns',
  ownerField: 'userId',
  check: async () => [],
  accept({ taskId, reason, userId }: CancelTask, { correlationId }: CommandContext): Accepted {
    const message = { taskId, ...(reason && { reason }), ...(userId && { userId }) };
    return {
      aggregateId: taskId, topic: 'task.cancel', key: taskId, type: 'CancelTask', message,
      answer: { taskId, correlationId, links: { self: `/tasks/${taskId}`, live: `/ws/tasks/${taskId}/status` } },
    };
  },
};

const settings = z.object({
  TASK_ATTEMPTS_MAX: z.coerce.number().int().min(1).max(20).default(3),
  MODEL_DEADLINE: duration('15m'),
  MODEL_CALL_TIMEOUT: duration('60s'),
});

/** The data of fact 1, as the kernel hands it back. */
const born = (data: object) => data as ContentFacts['TaskCreated'];

export const content = {
  name: 'content',
  workflow: 'contentWorkflow' as const,
  laneSizeMax: 1,
  activityQueues: [GENERATOR_QUEUE],
  lifecycle: contentLifecycle,
  topics: {
    TaskCreated: 'task.created',
    TaskAssigned: 'task.assigned',
    ContentGenerated: 'content.generated',
    ValidationFailed: 'validation.failed',
    ContentValidated: 'content.validated',
    ContentStored: 'content.stored',
    TaskFailed: 'task.failed',
    TaskCancelled: 'task.cancelled',
  },
  contracts: {
    namespace: 'com.contentfarm.events',
    encoding: 'avro',
    facts: contentFacts,
    commands: [{ topic: 'task.cancel', name: 'CancelTask', type: 'CancelTask', schema: cancelTask }],
  },
  doors: [created, cancelled],
  view: {
    table: 'task_view',
    key: 'id',
    owner: 'user_id',
    row: (id, state, phase) => ({
      id, template_id: state.templateId, status: state.status, priority: state.priority,
      created_at: state.createdAt, completed_at: state.completedAt, version: state.version,
      phase, updated_at: state.movedAt, model_type: state.modelType, user_id: state.userId,
      attempts: state.attempts, agent_id: state.agentId, content_uri: state.stored?.uri ?? null,
      content_sha256: state.stored?.sha256 ?? null, content_bytes: state.stored?.bytes ?? null,
      failures: state.failures, reason: state.reason,
    }),
  },
  http: {
    commands: [createTaskCommand, cancelTaskCommand],
    resources: [templates],
    queries: [
      {
        path: '/tasks',
        summary: 'Content tasks as their facts tell them',
        list: true,
        statuses: ['pending', 'processing', 'validating', 'completed', 'failed', 'cancelled'],
        show: (row) => ({
          id: row.id, templateId: row.template_id, status: row.status, priority: row.priority,
          createdAt: instant(row.created_at), completedAt: instant(row.completed_at), version: row.version,
          modelType: row.model_type, userId: row.user_id, attempts: row.attempts, agentId: row.agent_id,
          contentUri: row.content_uri, contentSha256: row.content_sha256,
          contentBytes: row.content_bytes === null ? null : Number(row.content_bytes),
          failures: row.failures, reason: row.reason, updatedAt: instant(row.updated_at),
        }),
      },
    ],
    live: { path: '/ws/tasks/:id/status', idField: 'taskId', spelling: (id) => id.toLowerCase() },
  },
  cli: {
    noun: 'task',
    submit: {
      name: 'submit',
      summary: 'Submit a content task',
      path: '/commands/create-task',
      options: [
        { flags: '--template <id>', summary: 'id of a template, or the name of a ready one', preset: 'product-description' },
        { flags: '--model <name>', summary: 'who writes it', preset: 'local' },
        { flags: '--priority <priority>', summary: 'low, normal or high', preset: 'normal' },
        { flags: '--var <name=value>', summary: 'a value for the prompt; may be repeated', pairs: true },
      ],
      body: ({ template, model, priority }, variables, userId) => ({
        templateId: READY_TEMPLATES.find(({ name }) => name === template)?.id ?? template,
        modelType: model, priority, userId, variables,
      }),
    },
    endings: { ContentStored: true, TaskFailed: false, TaskCancelled: false },
  },
  settings,
  limits: (given) => {
    const { TASK_ATTEMPTS_MAX, MODEL_DEADLINE, MODEL_CALL_TIMEOUT } = given as z.infer<typeof settings>;
    return { attemptsMax: TASK_ATTEMPTS_MAX, modelDeadlineMs: MODEL_DEADLINE, modelCallTimeoutMs: MODEL_CALL_TIMEOUT } satisfies ContentLimits;
  },
  display: {
    summary: (data) => `${born(data).priority} · ${born(data).modelType}`,
    memo: (data) => ({ templateId: born(data).templateId, userId: born(data).userId }),
    searchAttributes: { FazendaModel: (data) => born(data).modelType, FazendaPriority: (data) => born(data).priority },
    priority: (data) => ({ high: 1, normal: 3, low: 5 })[born(data).priority],
  },
  tables: CONTENT_TABLES,
  analytics: contentAnalytics,
  statistics: contentStatistics,
  objects(fact) {
    if (fact.type === 'ContentGenerated') return [{ uri: fact.data.contentUri, sha256: fact.data.sha256 }];
    return fact.type === 'ContentStored' ? [fact.data] : [];
  },
} satisfies Domain<ContentState, ContentFact>;
