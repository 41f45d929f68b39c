import { findJava, isAtLeast, versionOf, which } from '../runtime/parts/tools';
import { bad, good, note, type Finding } from './finding';

const NODE_MIN = [20, 19];
const JAVA_MIN = 17;

/** A program that a part is built with, where it is not installed already. */
interface Builder {
  readonly name: string;
  readonly args: readonly string[];
  readonly builds: string;
}

const BUILDERS: readonly Builder[] = [
  { name: 'go', args: ['version'], builds: 'Temporal and the S3 server' },
  { name: 'mvn', args: ['--version'], builds: 'Kafka' },
];

/** The machine: Node, and what the parts are built with. */
export async function checkMachine(env: NodeJS.ProcessEnv = process.env): Promise<Finding[]> {
  return [checkNode(), await checkJava(env), ...(await Promise.all(BUILDERS.map((builder) => checkBuilder(builder, env))))];
}

function checkNode(): Finding {
  const { node } = process.versions;
  if (isAtLeast(node.split('.').map(Number), NODE_MIN)) return good('node', node);
  return bad('node', `${node} is too old`, `Install Node ${NODE_MIN.join('.')} or later.`);
}

async function checkJava(env: NodeJS.ProcessEnv): Promise<Finding> {
  const java = await findJava(JAVA_MIN, env);
  if (java === undefined) {
    return note('java', `none of version ${JAVA_MIN} or later`, `Kafka needs it where it is started for you: install a JRE, or set KAFKA_BROKERS.`);
  }
  const version = await versionOf(java, ['-version'], env, /version "(\d+)(?:\.(\d+))?(?:\.(\d+))?/);
  return good('java', `${version?.join('.') ?? 'found'} (${java})`);
}

async function checkBuilder({ name, args, builds }: Builder, env: NodeJS.ProcessEnv): Promise<Finding> {
  const path = which(name, env);
  if (path === undefined) return note(name, 'not installed', `Needed only to build ${builds} the first time.`);
  const version = await versionOf(path, args, env);
  return good(name, `${version?.join('.') ?? 'its version is not known'} (${path})`);
}
