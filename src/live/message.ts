import type { Domain } from '../../workflows/kernel/definition';
import type { Step } from '../facts/folded';

/** A step with the aggregate's id under the name that its domain gives it: `{taskId, version, …}`. */
export type LiveMessage = Step & Readonly<Record<string, string | number>>;

export function messageOf(domain: Domain, id: string, step: Step): LiveMessage {
  const { version, status, event, at } = step;
  return { [domain.http.live.idField]: id, version, status, event, at };
}
