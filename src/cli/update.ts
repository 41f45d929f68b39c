import { Argument, type Command } from 'commander';
import type { Domain } from '../../workflows/kernel/definition';
import { callApi } from './api';
import { apiAddress } from './endpoints';
import { act } from './voice';

/** `<noun> <name> <id>`: asks something of one aggregate through the API, and says what became of it. */
export function updateCommands(noun: Command, { cli }: Domain): void {
  for (const { name, summary, path, body } of cli.updates ?? []) {
    const command = noun
      .command(name)
      .description(summary)
      .addArgument(new Argument('<id>', `the ${cli.noun}'s id`))
      .option('--api <url>', 'the API; by default the one that runs here');
    act(command, async (voice) => {
      const id = String(command.args[0]);
      const answer = await callApi(apiAddress(command.optsWithGlobals<{ api?: string }>().api), 'PATCH', `${path}/${encodeURIComponent(id)}`, body);
      voice.result(answer, `${cli.noun} ${id} is ${String(answer.status)}. Its story: npx fazenda ${cli.noun} ${id}`);
    });
  }
}
