import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { FazendaError } from '../../errors';
import type { InstallContext } from './part';
import { run, which } from './tools';

const BUILD_TIMEOUT_MS = 20 * 60_000;

/** Compiles a Go command into the folder. The Go tool checks every module against its checksum database. */
export async function goInstall(module: string, folder: string, context: InstallContext): Promise<void> {
  const go = need('go', 'Go', context);
  let compiled = 0;
  await run(go, ['install', '-v', '-ldflags=-s -w', module], {
    env: { ...context.env, GOBIN: folder, GOOS: '', GOARCH: '' },
    signal: context.signal,
    timeoutMs: BUILD_TIMEOUT_MS,
    onLine: (line) => {
      if (line.startsWith('go: ')) context.say(line.replace(/^go: /, ''));
      else context.say(`compiled ${(compiled += 1)} packages`);
    },
  });
}

export interface MavenArtifact {
  readonly group: string;
  readonly name: string;
  readonly version: string;
}

/** Copies Maven artifacts and all that they need at run time into the folder. */
export async function mavenCopy(artifacts: readonly MavenArtifact[], folder: string, context: InstallContext): Promise<void> {
  const mvn = need('mvn', 'Maven', context);
  const pom = `${folder}.pom.xml`;
  const dependencies = artifacts.map(
    ({ group, name, version }) => `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
  );
  writeFileSync(pom, `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>fazenda</groupId><artifactId>part</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>\n`);
  context.say(`fetching ${artifacts.map(({ name, version }) => `${name} ${version}`).join(', ')}`);
  await run(mvn, ['-B', '-q', '-f', pom, 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies', `-DoutputDirectory=${folder}`, '-DincludeScope=runtime'], {
    env: context.env,
    signal: context.signal,
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

export interface MavenArchive extends MavenArtifact {
  readonly type: 'tar.gz';
  readonly classifier: string;
}

/** Unpacks an archive from Maven, without what it depends on, into the folder. */
export async function mavenUnpack({ group, name, version, type, classifier }: MavenArchive, folder: string, context: InstallContext): Promise<void> {
  const mvn = need('mvn', 'Maven', context);
  const tar = need('tar', 'tar', context);
  context.say(`fetching ${name} ${version}`);
  const fetched = `${folder}.archive`;
  const limits = { env: context.env, signal: context.signal, timeoutMs: BUILD_TIMEOUT_MS };
  try {
    await run(mvn, ['-B', '-q', 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy', `-Dartifact=${group}:${name}:${version}:${type}:${classifier}`, `-DoutputDirectory=${fetched}`], limits);
    await run(tar, ['-xzf', join(fetched, `${name}-${version}-${classifier}.${type}`), '-C', folder, '--no-same-owner'], limits);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
}

/**
 * Unpacks one npm package into `folder/node_modules`, with what it needs, without running any script of theirs.
 * Errors: FZ_CACHE_CORRUPT when its integrity, or one of `further` that it has to bring along, is not the one expected.
 */
export async function npmUnpack(name: string, version: string, integrity: string, folder: string, context: InstallContext, further: readonly string[] = []): Promise<string> {
  const npm = need('npm', 'npm', context);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'fazenda-part', private: true }));
  context.say(`fetching ${name} ${version}`);
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--no-save', `${name}@${version}`];
  await run(npm, args, { cwd: folder, env: context.env, signal: context.signal, timeoutMs: BUILD_TIMEOUT_MS });
  const lock = readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8');
  if (![integrity, ...further].every((one) => lock.includes(`"integrity": "${one}"`))) {
    throw new FazendaError('FZ_CACHE_CORRUPT', `${name} ${version} is not the package that this version is known to be: ${folder}`);
  }
  return join(folder, 'node_modules', name);
}

/** Makes the links that an npm package cannot carry, from the list that it brings along. */
export function makeLinks(folder: string, list: string): void {
  const links: unknown = JSON.parse(readFileSync(join(folder, list), 'utf8'));
  if (!Array.isArray(links)) throw new FazendaError('FZ_CACHE_CORRUPT', `${join(folder, list)} is no list`);
  for (const link of links as unknown[]) {
    if (typeof link !== 'object' || link === null || !('source' in link) || !('target' in link)) continue;
    const source = join(folder, String(link.source));
    const target = join(folder, String(link.target));
    if (!existsSync(target)) symlinkSync(dirname(source) === dirname(target) ? basename(source) : relative(dirname(target), source), target);
  }
}

/** Unpacks one Python package, without its dependencies, into the folder. */
export async function pipInstall(requirement: string, folder: string, context: InstallContext): Promise<void> {
  const python = need('python3', 'Python 3', context);
  context.say(`fetching ${requirement}`);
  await run(python, ['-m', 'pip', 'install', '--no-deps', '--no-compile', '--quiet', '--target', folder, requirement], {
    env: context.env,
    signal: context.signal,
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}

function need(command: string, title: string, context: InstallContext): string {
  const path = which(command, context.env);
  if (path === undefined) throw new FazendaError('FZ_PART_UNAVAILABLE', `it is built with ${title}, and there is no \`${command}\` on PATH`);
  return path;
}
