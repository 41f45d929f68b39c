import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ServerSettings {
  /** Everything that the server keeps lies below it. */
  readonly folder: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** All that the server may use together, and one statement, bytes: it stands beside everything else on one machine. */
const MEMORY_BYTES_MAX = 1_500_000_000;
const STATEMENT_BYTES_MAX = 1_000_000_000;
const STATEMENT_MAX_S = 60;
const MARKS_BYTES_MAX = 134_217_728;

/**
 * Writes the settings of a ClickHouse server of one home's own: one user, loopback, HTTP alone, no logs of its own
 * among the tables. Gives the path of its configuration.
 */
export function settingsOf({ folder, port, user, password, database }: ServerSettings): string {
  for (const name of ['data', 'tmp', 'files', 'access']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  const config = join(folder, 'config.xml');
  const users = join(folder, 'users.xml');
  const digest = createHash('sha256').update(password).digest('hex');
  write(users, `<clickhouse>
  <profiles><default><max_memory_usage>${STATEMENT_BYTES_MAX}</max_memory_usage><max_execution_time>${STATEMENT_MAX_S}</max_execution_time></default></profiles>
  <quotas><default></default></quotas>
  <users><${user}>
    <password_sha256_hex>${digest}</password_sha256_hex>
    <networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota><default_database>${database}</default_database>
  </${user}></users>
</clickhouse>`);
  write(config, `<clickhouse>
  <logger><level>warning</level><console>true</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${port}</http_port>
  <path>${join(folder, 'data')}/</path>
  <tmp_path>${join(folder, 'tmp')}/</tmp_path>
  <user_files_path>${join(folder, 'files')}/</user_files_path>
  <user_directories><users_xml><path>${users}</path></users_xml><local_directory><path>${join(folder, 'access')}/</path></local_directory></user_directories>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <max_server_memory_usage>${MEMORY_BYTES_MAX}</max_server_memory_usage>
  <mark_cache_size>${MARKS_BYTES_MAX}</mark_cache_size>
</clickhouse>`);
  return config;
}

function write(path: string, text: string): void {
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
}
