import type { Bound } from './request';
import type { FoldedStep } from './topic-story';

/**
 * The steps between two bounds, both included. Steps before them were folded all the same. An offset means the
 * first, or the last, step whose record lies there or behind it, or before it, in a topic that is named: topics
 * have no order among each other, so one that is not named bounds nothing.
 */
export function stepsBetween(steps: readonly FoldedStep[], from: Bound | undefined, until: Bound | undefined): FoldedStep[] {
  const first = from && firstVersion(steps, from);
  const last = until && lastVersion(steps, until);
  return steps.filter(({ told: { fact } }) => (first === undefined || fact.version >= first) && (last === undefined || fact.version <= last));
}

function firstVersion(steps: readonly FoldedStep[], bound: Bound): number {
  return Math.min(Infinity, ...versionsWhere(steps, bound, (there, given) => there >= given));
}

/** 0 where everything comes after it. */
function lastVersion(steps: readonly FoldedStep[], bound: Bound): number {
  return Math.max(0, ...versionsWhere(steps, bound, (there, given) => there <= given));
}

function versionsWhere(steps: readonly FoldedStep[], bound: Bound, holds: (there: bigint | number, given: bigint | number) => boolean): number[] {
  return steps.filter(({ told: { fact, place } }) => {
    if ('version' in bound) return holds(fact.version, bound.version);
    if ('instant' in bound) return holds(Date.parse(fact.at), Date.parse(bound.instant));
    const given = bound.offset[place.topic];
    return given !== undefined && holds(place.offset, BigInt(given));
  }).map(({ told: { fact } }) => fact.version);
}
