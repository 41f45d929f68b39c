import { JSON_CODEC } from '../src/kafka/codec';
import { hintOf } from '../src/live/hints';

/** What one Kafka record says to live push; anything that is not clear says nothing, and never throws. */

const ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const OURS = { ce_source: '/fazenda/content', ce_subject: ID, ce_sequence: '3' };
const PARTNERS = {
  eventId: 'e', taskId: ID.toUpperCase(), templateId: '00000000-0000-4000-8000-000000000001', priority: 'normal',
  modelType: 'local', timestamp: 1_700_000_000_000, userId: 'u',
};

const hint = (topic: string, headers: Record<string, string>, value: string | null = '') =>
  hintOf({ topic, headers, value: value === null ? null : Buffer.from(value) }, JSON_CODEC);

test('our own record hints by its headers, without its value being looked at', () => {
  expect(hint('task.assigned', OURS, '{broken')).toEqual({ domain: 'content', id: ID, version: 3 });
});

test('a partner\'s first record is version 1 of the id that its door finds', () => {
  expect(hint('task.created', {}, JSON.stringify(PARTNERS))).toEqual({ domain: 'content', id: ID, version: 1 });
  expect(hint('task.created', { ...OURS, ce_source: '/partner' }, JSON.stringify(PARTNERS))).toEqual({ domain: 'content', id: ID, version: 1 });
});

test.each([
  ['a topic that is not ours', 'elsewhere', OURS, ''],
  ['no subject', 'task.assigned', { ...OURS, ce_subject: '' }, ''],
  ['no sequence', 'task.assigned', { ce_source: '/fazenda/content', ce_subject: ID }, ''],
  ['a sequence that is no version', 'task.assigned', { ...OURS, ce_sequence: '0' }, ''],
  ['a stranger on a topic that is no door', 'task.assigned', {}, JSON.stringify(PARTNERS)],
  ['a stranger whose value is no JSON', 'task.created', {}, '{'],
  ['a stranger whose value does not fit', 'task.created', {}, '{"taskId":1}'],
  ['a stranger without a value', 'task.created', {}, null],
])('%s hints at nothing', (_what, topic, headers, value) => {
  expect(hint(topic, headers as Record<string, string>, value)).toBeUndefined();
});
