import { proxyActivities } from '@temporalio/workflow';
import type { NaiveActivities } from './activities';

const { step, createOrder, reserve, capture, close } = proxyActivities<NaiveActivities>({ startToCloseTimeout: '1 minute' });

/** Four regular activities, as the first page of any tutorial has it. */
export async function naiveSteps(id: string): Promise<void> {
  for (const version of [2, 3, 4, 5]) await step(id, version);
}

export async function naiveOrder(id: string, request: { items: { sku: string; quantity: number }[]; totalAmount: number }): Promise<void> {
  await createOrder(id, request);
  await reserve(id, request.items);
  await capture(id, request.totalAmount);
  await close(id);
}
