import type { Operation } from '../api/operation';
import { redriveLetter, redriveLetters } from './requests';
import { DEAD_LETTERS_PATH } from './routes';

const COMMON = { tag: 'dead letters' } as const;
const EDIT_FAULTS = ['FZ_RECORD_EMPTY', 'FZ_RECORD_TOO_LARGE', 'FZ_RECORD_UNDECODABLE', 'FZ_TEXT_UNSTORABLE', 'FZ_BODY_TOO_DEEP', 'FZ_SCHEMA_INVALID'] as const;

/** The routes of dead letters, as the API's document says them. */
export const deadLetterOperations: readonly Operation[] = [
  {
    ...COMMON, method: 'get', path: DEAD_LETTERS_PATH, reads: 'page', list: true,
    summary: 'Dead letters, newest first; also by code, topic, group, since, until and state (open, unfinished, redriven)',
    answers: { 200: 'A page' }, faults: ['FZ_QUERY_INVALID', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...COMMON, method: 'get', path: `${DEAD_LETTERS_PATH}/causes`, list: true, summary: 'How many died of what: by error code, topic and group',
    answers: { 200: 'All causes, the one with most open letters first' }, faults: ['FZ_QUERY_INVALID', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...COMMON, method: 'get', path: `${DEAD_LETTERS_PATH}/:id`,
    summary: 'One dead letter: bytes, headers, what they decode to, why it died, and what would become of it now',
    answers: { 200: 'As it is' }, faults: ['FZ_NOT_FOUND', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...COMMON, method: 'post', path: `${DEAD_LETTERS_PATH}/:id/redrive`, reads: 'keyed', body: { name: 'RedriveLetter', schema: redriveLetter },
    summary: 'Put the record back on its topic, once; without a body as it was',
    answers: { 200: 'A dry run: what it would become', 202: 'Kafka has it' },
    faults: ['FZ_NOT_FOUND', 'FZ_ALREADY_REDRIVEN', 'FZ_REDRIVE_UNFINISHED', ...EDIT_FAULTS, 'FZ_KAFKA_AWAY', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...COMMON, method: 'post', path: `${DEAD_LETTERS_PATH}/redrive`, reads: 'keyed', body: { name: 'RedriveLetters', schema: redriveLetters },
    summary: 'Put many back, oldest first, no faster than a rate; ends after 10 s and says where to go on',
    answers: { 200: 'Which were redriven, and which could not be' }, faults: ['FZ_SCHEMA_INVALID', 'FZ_QUERY_INVALID', 'FZ_KAFKA_AWAY', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...COMMON, method: 'post', path: `${DEAD_LETTERS_PATH}/reindex`, summary: 'Make the list again from the dead-letter topics',
    answers: { 202: 'Begun' }, faults: ['FZ_POSTGRES_AWAY'],
  },
];
