import { fold, beginning, type AnyState, type Placed } from '../../workflows/kernel/lifecycle';
import { textOf } from '../errors';
import { factId } from '../facts/identity';
import type { StoredFact } from '../facts/read';
import type { Found } from './kinds';
import type { Testimony } from './testimony';

/** The facts of one aggregate, judged by themselves, and the state that they fold to. */
export interface FactsJudged {
  readonly found: readonly Found[];
  /** Undefined where the aggregate has no story, or its facts fold to no state. */
  readonly state: Placed<AnyState> | undefined;
}

/** What the facts of an aggregate say against themselves. Versions that are not stored are found by `compareTopics` or here. */
export function judgeFacts({ source, facts, told }: Testimony): FactsJudged {
  const found: Found[] = facts.flatMap((fact, at) => [...ofOne(source.topics, fact), ...ofTwo(facts[at - 1], fact)]);
  let state = source.domain && beginning(source.domain.lifecycle);
  let next = 1;
  for (const fact of facts) {
    for (; next < fact.version; next += 1) {
      const where = told?.tellings.has(next) ? 'its topic has it' : 'no topic has it';
      found.push({ kind: 'fact-gap', version: next, said: `version ${next} is not stored, version ${fact.version} is; ${where}` });
      state = undefined;
    }
    next = fact.version + 1;
    if (!state || !source.domain) continue;
    const { lifecycle } = source.domain;
    if (state.version > 0 && lifecycle.phase(state) === 'done') {
      found.push({ kind: 'fact-after-end', version: fact.version, said: `${fact.type} was told after the story was ${state.status}` });
    }
    try {
      state = fold(lifecycle, [fact], state);
    } catch (thrown) {
      // A fold is pure: where it throws, the data has not the shape of its type.
      found.push({ kind: 'fact-unfoldable', version: fact.version, said: `${fact.type} cannot be folded: ${textOf(thrown)}` });
      state = undefined;
    }
  }
  return { found, state: facts.length > 0 ? state : undefined };
}

function ofOne(topics: Readonly<Record<string, string>>, { domain, id, version, ceId, type, topic }: StoredFact): Found[] {
  const found: Found[] = [];
  const due = factId(domain, id, version);
  if (ceId !== due) found.push({ kind: 'fact-id-wrong', version, said: `its ce_id is ${ceId}, due is ${due}` });
  const dueTopic = topics[type];
  if (dueTopic === undefined) found.push({ kind: 'fact-misplaced', version, said: `${type} is no fact of ${domain}` });
  else if (dueTopic !== topic) found.push({ kind: 'fact-misplaced', version, said: `${type} is for ${topic}, due is ${dueTopic}` });
  return found;
}

/** Fact 1 binds nobody's clock, because its time may be a partner's. */
function ofTwo(before: StoredFact | undefined, fact: StoredFact): Found[] {
  if (!before) return [];
  const { version } = fact;
  const found: Found[] = [];
  if (before.version > 1 && fact.at < before.at) found.push({ kind: 'fact-backwards', version, said: `it is of ${fact.at}, version ${before.version} of ${before.at}` });
  if (fact.correlationId !== before.correlationId) {
    found.push({ kind: 'fact-unlinked', version, said: `its correlation id is ${fact.correlationId}, that of version ${before.version} is ${before.correlationId}` });
  }
  return found;
}
