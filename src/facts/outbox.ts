import { factId } from './identity';

/** A fact of an entity, on its way into the table together with the change that it tells. */
export interface OutboxFact {
  /** `aggregate_type`. */
  readonly entity: string;
  readonly id: string;
  readonly version: number;
  readonly type: string;
  readonly topic: string;
  readonly data: object;
  /** ISO 8601 UTC; never before that of the version before it. */
  readonly at: string;
  readonly correlationId: string;
  /** What caused version 1; each other one is caused by the fact before it. */
  readonly causedBy: string;
  readonly traceparent: string;
}

/**
 * A statement that makes a change and stores the fact of it, and so one transaction: both are there or neither is.
 * The fact goes in only where the change touched a row, and after that row was locked, so that facts of one
 * aggregate take their numbers in the order of their versions. Answers the row as the change returned it.
 * @param change an INSERT, UPDATE or DELETE that touches one row at most and ends in RETURNING *
 * @param parameter the number of the parameter that `outboxParameter` fills
 */
export function toldWith(change: string, parameter: number): string {
  return `
    WITH changed AS (${change}), told AS (
      INSERT INTO facts (aggregate_type, aggregate_id, version, ce_id, type, topic, payload, at, correlation_id, causation_id, traceparent)
      SELECT f.* FROM changed CROSS JOIN json_to_recordset($${parameter}::json) AS f(
        aggregate_type text, aggregate_id text, version int, ce_id uuid, type text, topic text, payload json, at timestamptz,
        correlation_id text, causation_id text, traceparent text)
    )
    SELECT * FROM changed`;
}

/** The value of that parameter; without a fact the change is made and nothing told. */
export function outboxParameter(fact: OutboxFact | undefined): string {
  if (!fact) return '[]';
  const { entity, id, version, type, topic, data, at, correlationId, causedBy, traceparent } = fact;
  return JSON.stringify([{
    aggregate_type: entity, aggregate_id: id, version, ce_id: factId(entity, id, version), type, topic, payload: data, at,
    correlation_id: correlationId, causation_id: version === 1 ? causedBy : factId(entity, id, version - 1), traceparent,
  }]);
}
