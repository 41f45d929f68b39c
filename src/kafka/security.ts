import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import { z } from 'zod';
import { FazendaError, textOf } from '../errors';
import { Secret } from '../secret';

/** How brokers are spoken to: names and values are those of Kafka's own clients. */
export const kafkaSecuritySettings = {
  KAFKA_SECURITY_PROTOCOL: z.string().toUpperCase().pipe(z.enum(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'])).default('PLAINTEXT'),
  KAFKA_SASL_MECHANISM: z.string().toUpperCase().pipe(z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])).optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().transform((value) => new Secret(value)).optional(),
  /** PEM files: the brokers' authority, where the system's do not know it; our certificate and its key, where brokers ask for one. */
  KAFKA_SSL_CA_FILE: z.string().optional(),
  KAFKA_SSL_CERTIFICATE_FILE: z.string().optional(),
  KAFKA_SSL_KEY_FILE: z.string().optional(),
};

type Settings = z.infer<z.ZodObject<typeof kafkaSecuritySettings>>;

/** S2's spellings; where both are set, Kafka's own wins. */
export const KAFKA_ALIASES: Readonly<Record<string, string>> = {
  OBSERVABILITY__KAFKA_SECURITY_PROTOCOL: 'KAFKA_SECURITY_PROTOCOL',
  OBSERVABILITY__KAFKA_SASL_MECHANISM: 'KAFKA_SASL_MECHANISM',
  OBSERVABILITY__KAFKA_SASL_USERNAME: 'KAFKA_SASL_USERNAME',
  OBSERVABILITY__KAFKA_SASL_PASSWORD: 'KAFKA_SASL_PASSWORD',
};

/** What is wrong between settings that are each right: nothing that was set may be silently without effect. */
export function kafkaSecurityFaults(given: Readonly<Record<string, string>>): { path: string; message: string }[] {
  const protocol = given.KAFKA_SECURITY_PROTOCOL?.toUpperCase() ?? 'PLAINTEXT';
  const sasl = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'];
  const tls = ['KAFKA_SSL_CA_FILE', 'KAFKA_SSL_CERTIFICATE_FILE', 'KAFKA_SSL_KEY_FILE'];
  const fault = (message: string) => (path: string) => ({ path, message });
  return [
    ...(protocol.startsWith('SASL_')
      ? sasl.filter((name) => !given[name]).map(fault(`is needed with KAFKA_SECURITY_PROTOCOL ${protocol}`))
      : sasl.filter((name) => given[name]).map(fault(`has no effect: KAFKA_SECURITY_PROTOCOL is ${protocol}, not SASL_SSL or SASL_PLAINTEXT`))),
    ...(protocol.endsWith('SSL') ? [] : tls.filter((name) => given[name]).map(fault(`has no effect: KAFKA_SECURITY_PROTOCOL is ${protocol}, not SSL or SASL_SSL`))),
    ...(Boolean(given.KAFKA_SSL_CERTIFICATE_FILE) === Boolean(given.KAFKA_SSL_KEY_FILE) ? [] : [fault('are needed together')('KAFKA_SSL_CERTIFICATE_FILE, KAFKA_SSL_KEY_FILE')]),
  ];
}

/** @throws FazendaError FZ_CONFIG_INVALID for a file that cannot be read */
export function securityOf(config: Settings): Pick<KafkaConfig, 'ssl' | 'sasl'> {
  const { KAFKA_SECURITY_PROTOCOL: protocol } = config;
  return {
    ...(protocol.endsWith('SSL') && { ssl: tlsOf(config) }),
    ...(protocol.startsWith('SASL_') && { sasl: saslOf(config) }),
  };
}

function tlsOf({ KAFKA_SSL_CA_FILE: ca, KAFKA_SSL_CERTIFICATE_FILE: cert, KAFKA_SSL_KEY_FILE: key }: Settings): NonNullable<KafkaConfig['ssl']> {
  return {
    ...(ca && { ca: [pem('KAFKA_SSL_CA_FILE', ca)] }),
    ...(cert && { cert: pem('KAFKA_SSL_CERTIFICATE_FILE', cert) }),
    ...(key && { key: pem('KAFKA_SSL_KEY_FILE', key) }),
  };
}

function saslOf({ KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username = '', KAFKA_SASL_PASSWORD: password }: Settings): SASLOptions {
  const named = { username, password: password?.reveal() ?? '' };
  if (mechanism === 'SCRAM-SHA-256') return { mechanism: 'scram-sha-256', ...named };
  return mechanism === 'SCRAM-SHA-512' ? { mechanism: 'scram-sha-512', ...named } : { mechanism: 'plain', ...named };
}

function pem(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FazendaError('FZ_CONFIG_INVALID', `${setting} cannot be read: ${textOf(cause)}`, {}, cause);
  }
}
