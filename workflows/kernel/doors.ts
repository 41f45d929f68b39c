import type { ZodType } from 'zod';

/** The doors of a domain: Kafka records that become stories or mail. */

/** A record as a door sees it: decoded, its text known to be storable, its headers as strings. */
export interface Arrival<Message> {
  readonly message: Message;
  readonly headers: Readonly<Record<string, string>>;
  /** When it was sent, ISO 8601 UTC: its `ce_time` where that is an instant, else the time of the Kafka record. */
  readonly sentAt: string;
}

interface AnyDoor {
  readonly topic: string;
  readonly group: string;
  /** Environment variables by which an installation may name the topic or the group otherwise. */
  readonly topicSetting?: string;
  readonly groupSetting?: string;
  readonly schema: ZodType;
  /** True where records that fazenda wrote itself must not come in again. */
  readonly foreignOnly: boolean;
}

/** A record that begins a story: it becomes fact 1. */
export interface StartDoor extends AnyDoor {
  readonly kind: 'start';
  /** `correlationId`: where the message itself names one; a header that names one wins. */
  first(arrival: Arrival<never>): { id: string; type: string; at: string; data: object; context?: object; correlationId?: string };
}

/** A record for a story that exists or will: it becomes mail. */
export interface MailDoor extends AnyDoor {
  readonly kind: 'mail';
  mail(arrival: Arrival<never>): { id: string; type: string; data: object };
}

export type Door = StartDoor | MailDoor;
