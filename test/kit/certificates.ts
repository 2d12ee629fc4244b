// Certificates made for a test by openssl, with an authority of their own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const openssl = (...args: string[]) => spawnSync('openssl', args, { encoding: 'utf8' });
/** Why tests that need certificates are skipped; false when they are not. */
export const noOpenssl = openssl('version').status === 0 ? false : 'openssl is not installed';

export interface Issued {
  readonly cert_file: string;
  readonly key_file: string;
}

/** An authority in a new folder; `issue` makes certificates of it, valid for localhost. */
export function authority(name: string) {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-certs-'));
  const [caKey, ca_file] = [join(dir, 'ca-key.pem'), join(dir, 'ca.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run('req', '-x509', ...curve, '-keyout', caKey, '-out', ca_file, '-days', '2', '-subj', `/CN=${name}`);
  const extensions = join(dir, 'extensions');
  writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const issue = (subject: string): Issued => {
    const [key_file, request, cert_file] = ['key', 'csr', 'cert'].map(kind => join(dir, `${subject}-${kind}.pem`)) as [
      string,
      string,
      string,
    ];
    run('req', ...curve, '-keyout', key_file, '-out', request, '-subj', `/CN=${subject}`);
    const signing = ['-CA', ca_file, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
    run('x509', '-req', '-in', request, '-out', cert_file, ...signing);
    return { cert_file, key_file };
  };
  return { dir, ca_file, issue };
}

function run(...args: string[]): void {
  const { status, stderr } = openssl(...args);
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
