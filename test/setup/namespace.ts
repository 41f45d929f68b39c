import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../src/temporal/attributes';
import { INDEXED_VALUE_TYPE } from '../../src/temporal/register';

/** A namespace that only one test knows, with the search attributes that a migration would register. */
export async function ownNamespace(address: string): Promise<string> {
  const namespace = `t-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 } as never });
  const wanted = Object.entries(searchAttributes()).map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]]);
  // A namespace is known to every part of the server a moment after it was registered.
  for (;;) {
    try {
      await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(wanted) as Record<string, number> });
      break;
    } catch (thrown) {
      if (!/not found/i.test(String(thrown))) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await connection.close();
  return namespace;
}
