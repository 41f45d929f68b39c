import type { Command } from 'commander';
import { relative } from 'node:path';
import { table } from './lines';
import { act } from './voice';

/** `schemas`: what the topics carry, held against what was published; `--write` publishes what is new. */
export function schemasCommand(program: Command): void {
  const command = program
    .command('schemas')
    .description('hold the contracts of all records against the published schemas')
    .option('--check', 'say only what is wrong or new, as the build asks')
    .option('--write', 'publish what is new in docs/schemas, and write docs/events.md');
  act(command, async (voice) => {
    const { checkPublished, publishedSchemas, publishSchemas } = await import('../schemas/files.js');
    const { writeCatalogue } = await import('../schemas/catalogue.js');
    const { subjects } = await import('../schemas/subjects.js');
    const now = subjects();
    const written = command.opts().write === true ? [...publishSchemas(now), ...writeCatalogue()] : [];
    const unpublished = checkPublished(now);
    const published = publishedSchemas();
    const rows = [...now.values()].map(({ topic, preset }) => [topic, preset, published.get(topic)?.at(-1)?.version ?? 'none', unpublished.includes(topic) ? 'npx fazenda schemas --write' : '']);
    if (command.opts().check === true) {
      if (unpublished.length > 0) voice.line(`New and not published yet: ${unpublished.join(', ')}. Run npx fazenda schemas --write.`);
      return;
    }
    for (const line of table([['topic', 'written in', 'version', 'to publish'], ...rows])) voice.line(line);
    for (const file of written) voice.line(`wrote ${relative(process.cwd(), file)}`);
    voice.result({ topics: Object.fromEntries(rows.map(([topic, encoding, version]) => [topic, { encoding, version }])), unpublished, written });
  });
}
