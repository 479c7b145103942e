import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTlsFilesSync, type TlsContent, type TlsFiles } from '@tollgate/service-kit/tls-files';
import { watchTlsFiles } from '@tollgate/service-kit/tls-watch';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { type Certificate, makeAuthority } from './certificates.js';

const root = mkdtempSync(join(tmpdir(), 'tollgate-tls-watch-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const authority = makeAuthority('tollgate test CA');
const HOUR_MS = 3_600_000;
const soon = (check: () => void): Promise<void> => vi.waitFor(check, 10_000);

const watches: { close(): void }[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

/** A folder as Kubernetes mounts secrets: the files are links through `..data`, which one rename swaps. */
function secretFolder(): { files: TlsFiles; swap(identity: Certificate, caPem?: string): void } {
  const folder = mkdtempSync(join(root, 'secret-'));
  let generation = 0;
  const swap = ({ certPem, keyPem }: Certificate, caPem = authority.certPem): void => {
    const name = `..generation-${generation++}`;
    mkdirSync(join(folder, name));
    for (const [file, pem] of Object.entries({ 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': caPem })) {
      writeFileSync(join(folder, name, file), pem);
      if (generation === 1) symlinkSync(join('..data', file), join(folder, file));
    }
    symlinkSync(name, join(folder, '..new'));
    renameSync(join(folder, '..new'), join(folder, '..data'));
  };
  swap(authority.issue(['DNS:first']));
  return { files: { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), caFile: join(folder, 'ca.crt') }, swap };
}

function watch(files: TlsFiles, now: () => number = Date.now) {
  const read = readTlsFilesSync(files);
  if (read.kind !== 'content') throw new Error(read.problems.join());
  const [changes, kept]: [TlsContent[], string[]] = [[], []];
  const onKept = (problems: readonly string[]) => kept.push(...problems);
  const onChange = (content: TlsContent) => changes.push(content);
  watches.push(watchTlsFiles({ files, content: read.content, everyMs: 5, onChange, onKept, now }));
  return { changes, kept, certificates: () => changes.map(({ cert }) => cert.toString()) };
}

test('files that are swapped through a link, renamed into place or written over are noticed', async () => {
  const { files, swap } = secretFolder();
  const { certificates } = watch(files);
  const [second, third, fourth] = [1, 2, 3].map((n) => authority.issue([`DNS:${n}`])) as [Certificate, Certificate, Certificate];
  swap(second);
  await soon(() => expect(certificates()).toEqual([second.certPem]));
  for (const [file, pem] of [[files.keyFile, third.keyPem] as const, [files.certFile, third.certPem] as const]) {
    writeFileSync(`${file}.new`, pem);
    renameSync(`${file}.new`, file);
  }
  await soon(() => expect(certificates().slice(1)).toEqual([third.certPem]));
  writeFileSync(files.certFile, fourth.certPem);
  writeFileSync(files.keyFile, fourth.keyPem);
  await soon(() => expect(certificates().slice(2)).toEqual([fourth.certPem]));
});

test('a key that does not fit its certificate keeps the last good pair, and is told once', async () => {
  const { files } = secretFolder();
  const { changes, kept, certificates } = watch(files);
  const next = authority.issue(['DNS:next']);
  writeFileSync(files.certFile, next.certPem);
  await soon(() => expect(kept).toEqual([expect.stringContaining('do not make a server together')]));
  expect(changes).toEqual([]);
  writeFileSync(files.keyFile, next.keyPem);
  await soon(() => expect(certificates()).toEqual([next.certPem]));
  expect(kept).toHaveLength(1);
});

const half = (pem: string): string => pem.slice(0, pem.length / 2);

test.each<[string, (files: TlsFiles) => void, RegExp]>([
  ['an empty file', ({ certFile }) => writeFileSync(certFile, ''), /TLS_CERT_FILE: .* is no PEM file/],
  ['half a certificate', ({ certFile }) => writeFileSync(certFile, half(authority.certPem)), /TLS_CERT_FILE: .* is cut off/],
  [
    'a list of CAs whose second one is cut off',
    ({ caFile }) => writeFileSync(caFile, authority.certPem + half(authority.certPem)),
    /TLS_CA_FILE: .* is cut off/,
  ],
  [
    'a certificate with a hole in it',
    ({ caFile }) => writeFileSync(caFile, authority.certPem.replace(/\n.{64}\n/, '\n')),
    /TLS_CA_FILE: .* certificate that cannot be read/,
  ],
  [
    'a key where the CA should be',
    ({ caFile, keyFile }) => renameSync(keyFile, caFile),
    /TLS_KEY_FILE: .* cannot be read \(ENOENT\)/,
  ],
  ['no file at all', ({ certFile }) => rmSync(certFile), /TLS_CERT_FILE: .* cannot be read \(ENOENT\)/],
])('%s keeps what is served with', async (_, breakFiles, problem) => {
  const { files } = secretFolder();
  const { changes, kept } = watch(files);
  breakFiles(files);
  await soon(() => expect(kept.join('\n')).toMatch(problem));
  expect(changes).toEqual([]);
});

test('a certificate that has expired, or does not hold yet, replaces none; one that holds by now does', async () => {
  const { files, swap } = secretFolder();
  let nowMs = Date.now() + 2 * HOUR_MS;
  const { changes, kept, certificates } = watch(files, () => nowMs);
  const short = authority.issue(['DNS:short'], 2);
  swap(short);
  await soon(() => expect(kept).toEqual([expect.stringContaining('has expired')]));
  expect(changes).toEqual([]);
  nowMs -= 2 * HOUR_MS;
  await soon(() => expect(certificates()).toEqual([short.certPem]));
});

test('what is seen once only is not served with: a file that is being written may look whole', async () => {
  const { files, swap } = secretFolder();
  const { changes } = watch(files);
  const [one, two] = [authority.issue(['DNS:one']), authority.issue(['DNS:two'])];
  // Faster than two looks: each look finds other content than the one before.
  for (let i = 0; changes.length === 0 && i < 50; i++) {
    swap(i % 2 === 0 ? one : two);
    await new Promise((resolve) => setImmediate(resolve));
  }
  swap(two);
  await soon(() => expect(changes.at(-1)?.cert.toString()).toBe(two.certPem));
  expect(changes.every(({ cert, key }) => [one, two].some((of) => of.certPem === `${cert}` && of.keyPem === `${key}`))).toBe(
    true,
  );
});

test('after closing nothing is looked at', async () => {
  const { files, swap } = secretFolder();
  const { changes } = watch(files);
  watches.splice(0).forEach((each) => {
    each.close();
  });
  const other = watch(files);
  swap(authority.issue(['DNS:late']));
  await soon(() => expect(other.changes).toHaveLength(1));
  expect(changes).toEqual([]);
  expect(existsSync(files.certFile)).toBe(true);
});
