import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/runtime/parts/tools';

/**
 * PEM files in a folder: `ca.pem`, an authority of the test's own, and by it `server.pem`, for this machine, and
 * `app.pem`, for a client of that name; each with its `.key`.
 */
export async function makeCertificates(folder: string): Promise<void> {
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run('openssl', ['req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=authority'], { env: process.env });
  for (const [name, extension] of [['server', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], ['app', 'extendedKeyUsage=clientAuth']] as const) {
    await run('openssl', ['req', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`], { env: process.env });
    writeFileSync(at(`${name}.ext`), extension);
    await run('openssl', ['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)], { env: process.env });
  }
}
