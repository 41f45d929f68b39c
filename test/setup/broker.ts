import { connect } from 'amqplib';
import type { ConfirmChannel } from 'amqplib';
import { startParts, type RunningParts } from '../../src/runtime/parts';
import { tempHome } from './temp-home';

/** A RabbitMQ of one test file's own, that it may kill. */
export async function startRabbitmq(): Promise<RunningParts> {
  const { AMQP_URL: _shared, ...env } = process.env;
  return await startParts({ home: tempHome(), parts: ['rabbitmq'], env });
}

/** A message as a stranger reads it. */
export interface SeenMessage {
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly messageId: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly persistent: boolean;
}

/** Runs something on a channel of a stranger's own. */
export async function onChannel<Result>(url: string, work: (channel: ConfirmChannel) => Promise<Result>): Promise<Result> {
  const connection = await connect(url);
  try {
    return await work(await connection.createConfirmChannel());
  } finally {
    await connection.close();
  }
}

/** Everything that a queue holds now; it is left as it was. */
export async function messagesOn(url: string, queue: string): Promise<SeenMessage[]> {
  return await onChannel(url, async (channel) => {
    const seen: SeenMessage[] = [];
    for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
      const text = message.content.toString();
      const { messageId, headers = {}, deliveryMode } = message.properties as { messageId?: string; headers?: Record<string, unknown>; deliveryMode?: number };
      seen.push({ text, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}, messageId, headers, persistent: deliveryMode === 2 });
    }
    return seen;
  });
}
