import type { Domain } from '../../workflows/kernel/definition';
import type { AnyState, Placed } from '../../workflows/kernel/lifecycle';
import { workflowId } from '../facts/identity';
import type { Found } from './kinds';
import type { RunSaid } from './testimony';

/** Where Temporal and the state that the facts fold to disagree. Closed runs that Temporal has forgotten say nothing. */
export function compareRuns(domain: Domain, id: string, state: Placed<AnyState>, { own, result, aboard }: RunSaid): Found[] {
  const name = workflowId(domain.name, id);
  if (domain.lifecycle.phase(state) !== 'done') {
    if (own?.open || aboard) return [];
    return [{ kind: 'run-missing', said: `it is ${state.status} at version ${state.version}, and ${own ? `${name} is ${own.status.toLowerCase()}` : `there is no ${name}`}` }];
  }
  if (own?.open) return own.inHand ? [] : [{ kind: 'run-lingers', said: `it is ${state.status}, and ${name} is open` }];
  // A workflow that was started by hand for an id without facts has told nothing, and says so by version 0.
  if (result && result.version > 0 && (result.version !== state.version || result.status !== state.status)) {
    return [{ kind: 'run-disagrees', said: `${name} ended ${result.status} at version ${result.version}, the facts are ${state.status} at version ${state.version}` }];
  }
  return [];
}
