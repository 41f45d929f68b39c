import type { NativeConnection } from '@temporalio/worker';
import { searchAttributes } from './attributes';

/** `INDEXED_VALUE_TYPE_KEYWORD` of temporal.api.enums.v1. */
const KEYWORD = 2;

/**
 * Registers the search attributes that a namespace lacks, and gives their names. A start that carries an
 * attribute which its namespace does not know is refused, so this has to come before the first one.
 */
export async function registerSearchAttributes({ operatorService }: NativeConnection, namespace: string): Promise<string[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  const missing = searchAttributes().filter((name) => customAttributes[name] === undefined);
  if (missing.length === 0) return [];
  await operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])) });
  return missing;
}
