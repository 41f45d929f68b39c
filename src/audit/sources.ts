import { domains } from '../../workflows/domains';
import type { Domain } from '../../workflows/kernel/definition';
import { entities } from '../entities';

/** Whatever has facts: a domain, whose aggregates have stories, or an entity, whose aggregates have none. */
export interface Source {
  /** `aggregate_type`. */
  readonly name: string;
  /** Each fact's topic, by type. */
  readonly topics: Readonly<Record<string, string>>;
  /** Where its aggregates have stories: views, runs and doors. */
  readonly domain?: Domain;
}

export const SOURCES: readonly Source[] = [
  ...domains.map((domain) => ({ name: domain.name, topics: domain.topics, domain })),
  ...entities.map(({ name, topics }) => ({ name, topics })),
];
