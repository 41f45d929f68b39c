import type { Command } from 'commander';
import { configHere, readEndpoints } from './endpoints';
import { checkMachine } from './doctor-machine';
import { checkStores } from './doctor-stores';
import { checkTopics } from './doctor-topics';
import type { Finding } from './finding';
import { act, type Voice } from './voice';

const MARKS: Readonly<Record<Finding['verdict'], string>> = { good: 'ok  ', note: 'note', bad: 'BAD ' };

/** `doctor`: looks at everything that can be wrong around fazenda; exit code 1 if something is. */
export function doctorCommand(program: Command): void {
  const command = program.command('doctor').description('say what is wrong with this machine or with what runs here, and what to do about it');
  act(command, async (voice) => {
    const config = configHere();
    const findings: Finding[] = [];
    for (const part of [checkMachine(), checkStores(config, readEndpoints()), checkTopics(config)]) findings.push(...tell(voice, await part));
    const bad = findings.filter(({ verdict }) => verdict === 'bad').length;
    voice.result({ healthy: bad === 0, findings }, bad === 0 ? 'All is well.' : `${bad} to mend.`);
    return bad === 0 ? 0 : 1;
  });
}

function tell(voice: Voice, findings: readonly Finding[]): readonly Finding[] {
  for (const { verdict, about, said, next } of findings) voice.line(`${MARKS[verdict]}  ${about}: ${said}${next ? ` → ${next}` : ''}`);
  return findings;
}
