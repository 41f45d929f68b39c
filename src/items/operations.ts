import type { Operation } from '../api/operation';
import { itemChanges, newItem } from './messages';

const BODY_FAULTS = ['FZ_BODY_NOT_JSON', 'FZ_BODY_TOO_DEEP', 'FZ_HEADER_INVALID', 'FZ_BODY_TOO_LARGE', 'FZ_MEDIA_TYPE', 'FZ_SCHEMA_INVALID', 'FZ_TEXT_UNSTORABLE'] as const;
const about = { tag: 'items' };

/** Items in the API's document. */
export const itemOperations: readonly Operation[] = [
  {
    ...about, method: 'post', path: '/v1/items', summary: 'Add an item; ItemCreated goes to items-events', reads: 'keyed', body: { name: 'Item', schema: newItem },
    answers: { 201: 'Added; the ETag is its version' }, faults: [...BODY_FAULTS, 'FZ_IDEMPOTENCY_MISMATCH', 'FZ_IDEMPOTENCY_BUSY', 'FZ_CONFLICT', 'FZ_POSTGRES_AWAY'],
  },
  { ...about, method: 'get', path: '/v1/items', summary: 'Items, newest first', reads: 'page', list: true, answers: { 200: 'A page' }, faults: ['FZ_QUERY_INVALID', 'FZ_POSTGRES_AWAY'] },
  {
    ...about, method: 'get', path: '/v1/items/:id', summary: 'One item',
    answers: { 200: 'As it is; the ETag is its version', 304: 'Still the version named in If-None-Match' }, faults: ['FZ_NOT_FOUND', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...about, method: 'patch', path: '/v1/items/:id', summary: 'Change an item; ItemUpdated goes to items-events', reads: 'correlation', body: { name: 'ItemChanges', schema: itemChanges },
    answers: { 200: 'As it is now' }, faults: [...BODY_FAULTS, 'FZ_NOT_FOUND', 'FZ_VERSION_CHANGED', 'FZ_CONFLICT', 'FZ_POSTGRES_AWAY'],
  },
  {
    ...about, method: 'delete', path: '/v1/items/:id', summary: 'Delete an item; ItemDeleted goes to items-events', reads: 'correlation',
    answers: { 204: 'It is gone' }, faults: ['FZ_HEADER_INVALID', 'FZ_NOT_FOUND', 'FZ_VERSION_CHANGED', 'FZ_CONFLICT', 'FZ_POSTGRES_AWAY'],
  },
];
