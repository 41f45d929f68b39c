import { Argument, type Command } from 'commander';
import type { Domain } from '../../workflows/kernel/definition';
import { FazendaError, textOf } from '../errors';
import { FoldedStory } from '../facts/folded';
import type { StoredFact } from '../facts/read';
import { configOf, POSTGRES_VARIABLES } from './endpoints';
import { dataLine, elapsed, stepLine } from './lines';
import { act } from './voice';

/** `<noun> <id>`, one a domain: the story of an aggregate as its stored facts tell it. Other commands may stand under it. */
export function storyCommand(program: Command, domain: Domain): Command {
  const { noun } = domain.cli;
  const { idField, spelling } = domain.http.live;
  const command = program
    .command(noun)
    .description(`tell the story of one ${noun}, step by step`)
    .addArgument(new Argument('<id>', `the ${noun}'s id`));
  act(command, async (voice) => {
    const given = String(command.args[0]);
    const id = spelling?.(given) ?? given;
    const facts = await storedFacts(domain, id);
    if (facts.length === 0) throw new FazendaError('FZ_NOT_FOUND', `there is no fact of a ${noun} ${id}`);
    const story = new FoldedStory(domain.name);
    story.add(facts);

    const { steps, status, version, done } = story;
    voice.line(`${noun} ${id} · ${status}${done ? '' : ', not over yet'} · ${elapsed(steps[0]?.at, steps.at(-1)?.at)}`);
    facts.forEach(({ data }, at) => {
      const step = steps[at];
      if (step) voice.line(stepLine(step, steps[at - 1], dataLine(data, idField)));
    });
    const told = facts.map(({ data, ceId, correlationId, publishedAt }, at) => ({
      ...steps[at], ceId, correlationId, published: publishedAt !== null, data,
    }));
    voice.result({ [idField]: id, status, version, done, steps: told });
  });
  return command;
}

async function storedFacts(domain: Domain, id: string): Promise<StoredFact[]> {
  const { openPool } = await import('../facts/postgres.js');
  const { factsFrom } = await import('../facts/read.js');
  const db = openPool(configOf(POSTGRES_VARIABLES), 'cli', 1);
  try {
    return await factsFrom(db, domain.name, id);
  } catch (cause) {
    throw new FazendaError('FZ_POSTGRES_AWAY', `the facts cannot be read (${textOf(cause)})`, {}, cause);
  } finally {
    await db.end();
  }
}
