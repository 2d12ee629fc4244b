// Certificates made for a test by openssl: authorities, and what they sign.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const dir = mkdtempSync(join(tmpdir(), 'flamegate-certificates-'));
export const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed';
let made = 0;

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}
export const read = (path: string): Buffer => readFileSync(path);
/** A path for a file that a test writes itself. */
export const freshPath = (): string => join(dir, `own-${++made}.pem`);

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args);
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}
const paths = (): Certificate => {
  const stem = join(dir, String(++made));
  return { key: `${stem}.key.pem`, cert: `${stem}.cert.pem` };
};
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function authority(name: string): Certificate {
  const { key, cert } = paths();
  openssl('req', '-x509', ...EC, '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`);
  return { key, cert };
}

/** @param names as `DNS:store` and `IP:127.0.0.1`, for a server */
export function signedBy(by: Certificate, name: string, names = ''): Certificate {
  const { key, cert } = paths();
  const [request, extensions] = [`${cert}.csr`, `${cert}.ext`];
  openssl('req', ...EC, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
  writeFileSync(extensions, names === '' ? '' : `subjectAltName=${names}\n`);
  const signing = ['-CA', by.cert, '-CAkey', by.key, '-CAcreateserial', '-days', '2', '-extfile', extensions];
  openssl('x509', '-req', '-in', request, '-out', cert, ...signing);
  return { key, cert };
}
