import { proxyLocalActivities } from '@temporalio/workflow';
import type { BareActivities } from './activities';
import { STEPS } from '../steps/lifecycle';

const { store } = proxyLocalActivities<BareActivities>({ startToCloseTimeout: '10s' });

/** Each step of all that are aboard is durable before the next one begins. */
export async function bareLane(ids: string[]): Promise<void> {
  for (let step = 1; step <= STEPS; step += 1) await store(ids.map((id) => ({ id, version: step + 1, data: { step } })));
}
