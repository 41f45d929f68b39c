import type { DataConverter } from '@temporalio/common';
import type { Config } from '../config';
import { SealingCodec } from './seal';

/** How payloads are written for Temporal: sealed where keys are set, else as the SDK writes them. */
export function converterOf({ TEMPORAL_PAYLOAD_KEYS: keys }: Pick<Config, 'TEMPORAL_PAYLOAD_KEYS'>): { dataConverter?: DataConverter } {
  if (keys.length === 0) return {};
  return { dataConverter: { payloadCodecs: [new SealingCodec(keys)], failureConverterPath: require.resolve('./sealed-failures') } };
}
