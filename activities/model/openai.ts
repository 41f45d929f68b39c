import { z } from 'zod';
import type { ModelEndpoint } from '../../src/config';
import { complaint } from './prompt';
import { ModelBusy, type Model } from './port';

/** An answer longer than this is not read to its end: a draft of 1 MiB, each character escaped, and room. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const tokens = z.number().int().min(0).nullish().catch(null);
const answer = z.object({
  model: z.string().regex(/^[\x20-\x7e]{1,255}$/).optional().catch(undefined),
  choices: z.array(z.object({ message: z.object({ content: z.string().min(1) }) })).min(1),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(null),
});

/**
 * An endpoint that speaks OpenAI's chat completions. Whatever it refuses is a technical fault, client
 * errors too: a wrong key or an empty account says nothing about the task.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
export function openAiModel(endpoint: ModelEndpoint): Model {
  const url = `${endpoint.baseUrl.replace(/\/+$/, '')}/chat/completions`;
  return {
    async generate({ prompt, failures, signal }) {
      const messages = [{ role: 'user', content: prompt }];
      if (failures.length > 0) messages.push({ role: 'user', content: complaint(failures) });
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(endpoint.apiKey && { authorization: `Bearer ${endpoint.apiKey.reveal()}` }),
        },
        body: JSON.stringify({ model: endpoint.model, messages }),
        // A redirect would carry the prompt to a host that nobody configured.
        redirect: 'error',
        signal,
      });
      if (!response.ok) {
        // The body is not quoted: some endpoints repeat the key in it.
        await response.body?.cancel();
        const said = `${endpoint.name} answered ${response.status}`;
        const retryAfterMs = retryAfterOf(response.headers.get('retry-after'));
        throw retryAfterMs === undefined ? new Error(said) : new ModelBusy(said, retryAfterMs);
      }
      const { model, choices, usage } = await understood(endpoint, response);
      return {
        text: choices[0]?.message.content ?? '',
        model: model ?? endpoint.model,
        usage: { inputTokens: usage?.prompt_tokens ?? null, outputTokens: usage?.completion_tokens ?? null },
      };
    },
  };
}

async function understood({ name }: ModelEndpoint, response: Response): Promise<z.infer<typeof answer>> {
  const text = await boundedText(name, response);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${name} answered something that is no JSON`, { cause });
  }
  const parsed = answer.safeParse(given);
  if (!parsed.success) throw new Error(`${name} answered without choices[0].message.content`);
  return parsed.data;
}

async function boundedText(name: string, { body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`${name} answered more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `Retry-After` in ms: seconds, or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
