import { join } from 'node:path';
import { openLog, type Logger } from '../log';
import type { ChildEvent } from './child';
import type { PartEvent } from './parts';

/** What the start itself does, beside the logs of what it started: `logs/start.log`, in the home. */
export interface StartLog {
  part(event: PartEvent): void;
  process(event: ChildEvent): void;
  say(message: string, fields?: object): void;
  fault(message: string): void;
}

/** Written from the first event on: before that, the home may be somebody else's. */
export function startLog(homeFolder: string): StartLog {
  let opened: Logger | undefined;
  const log = (): Logger => (opened ??= openLog({ LOG_LEVEL: 'info', LOG_FILE: join(homeFolder, 'logs', 'start.log') }, 'start'));
  const speak = (kind: PartEvent['kind'] | ChildEvent['kind'], fields: object, text: string): void => {
    if (kind === 'failed') log().error(fields, text);
    else if (kind === 'died' || kind === 'slow' || kind === 'missing') log().warn(fields, text);
    else log()[kind === 'step' ? 'debug' : 'info'](fields, text);
  };
  return {
    part: ({ kind, part, text }) => speak(kind, { part, event: kind }, text),
    process: ({ kind, name, text }) => speak(kind, { child: name, event: kind }, text),
    say: (message, fields = {}) => opened?.info(fields, message),
    fault: (message) => opened?.error(message),
  };
}
