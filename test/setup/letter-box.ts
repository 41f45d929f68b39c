import { connect, type GetMessage } from 'amqplib';
import { readTopics } from './judge';

/** Letters as a stranger sees them: what the mailbox took, and what lies among the dead. */
export interface SeenLetter {
  readonly messageId: string;
  readonly reason?: string;
}

export async function readMailbox({ mailbox }: { readonly mailbox: string | null }): Promise<SeenLetter[]> {
  if (mailbox === null) throw new Error('there is no mailbox');
  return (await (await fetch(mailbox, { headers: { accept: 'application/json' } })).json()) as SeenLetter[];
}

/** What is parked, by RabbitMQ or by the topic that stands in for it; it stays where it is. */
export async function parkedLetters({ amqp, kafka }: { readonly amqp: string | null; readonly kafka: string }): Promise<SeenLetter[]> {
  if (amqp === null) return (await readTopics(kafka, ['notifications.dead'])).map(({ value }) => JSON.parse(value) as SeenLetter);
  const connection = await connect(amqp);
  try {
    const channel = await connection.createChannel();
    const seen: GetMessage[] = [];
    for (let one = await channel.get('notifications.dead'); one !== false; one = await channel.get('notifications.dead')) seen.push(one);
    return seen.map(({ content }) => JSON.parse(content.toString('utf8')) as SeenLetter);
  } finally {
    // Nothing was acknowledged, so all of it goes back.
    await connection.close();
  }
}
