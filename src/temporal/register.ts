import type { Connection } from '@temporalio/client';
import { searchAttributes } from './attributes';

/** `IndexedValueType` of temporal.api.enums.v1. */
export const INDEXED_VALUE_TYPE = { Keyword: 2, KeywordList: 7 };

/**
 * Registers the search attributes that a namespace lacks, and gives their names. A start that carries an
 * attribute which its namespace does not know is refused, so this has to come before the first one.
 */
export async function registerSearchAttributes({ operatorService }: Pick<Connection, 'operatorService'>, namespace: string): Promise<string[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes()).filter(([name]) => customAttributes[name] === undefined);
  if (missing.length === 0) return [];
  await operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]])) });
  return missing.map(([name]) => name);
}
