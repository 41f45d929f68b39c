import type { Config } from '../config';
import type { Logger } from '../log';
import { useTracing } from './tracing';

/**
 * Begins to record spans where there is somewhere to send them, and gives how to end it. The library is loaded only
 * then: it takes a tenth of a second of every start.
 * @param process names the service, where nothing else does
 */
export async function openTracing(config: Config, log: Logger, process: string): Promise<(() => Promise<void>) | undefined> {
  if (!isOn(config)) return undefined;
  const { openSdk } = await import('./sdk.js');
  const sdk = openSdk(config, log, process);
  useTracing(sdk);
  return async () => {
    useTracing(undefined);
    await sdk.stop();
  };
}

function isOn(config: Config): boolean {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ofTraces } = config;
  return !disabled && exporter === 'otlp' && (endpoint ?? ofTraces) !== undefined;
}
