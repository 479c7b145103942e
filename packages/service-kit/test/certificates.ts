/** Certificates for tests, made on the spot: no keys in the repository, no openssl needed. */
import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface Certificate {
  certPem: string;
  keyPem: string;
}
export interface Authority extends Certificate {
  /** A certificate of this CA for these names, `DNS:…`, `URI:…` or `IP:` with an IPv4 address, valid from an hour ago for `hours`. */
  issue(sans: readonly string[], hours?: number): Certificate;
}

export function makeAuthority(name: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const own = certificate(name, keys.publicKey, name, keys.privateKey, [BASIC_CONSTRAINTS_CA], 24);
  const issue = (sans: readonly string[], hours = 24): Certificate => {
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certPem = certificate('leaf', leaf.publicKey, name, keys.privateKey, [subjectAltName(sans)], hours);
    return { certPem, keyPem: pkcs8(leaf.privateKey) };
  };
  return { certPem: own, keyPem: pkcs8(keys.privateKey), issue };
}

function certificate(
  subject: string,
  key: KeyObject,
  issuer: string,
  signer: KeyObject,
  extensions: Buffer[],
  hours: number,
): string {
  const from = Date.now() - 3_600_000;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_SHA256,
    distinguishedName(issuer),
    sequence(generalizedTime(from), generalizedTime(from + hours * 3_600_000)),
    distinguishedName(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = createSign('sha256').update(body).sign(signer);
  const whole = sequence(body, ECDSA_SHA256, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const prefix = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(prefix), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const BASIC_CONSTRAINTS_CA = sequence(
  oid('551d13'),
  der(0x01, Buffer.from([0xff])),
  der(0x04, sequence(der(0x01, Buffer.from([0xff])))),
);

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))));
}

function generalizedTime(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(0x18, Buffer.from(`${digits}Z`));
}

function subjectAltName(sans: readonly string[]): Buffer {
  const names = sans.map((san) => {
    if (san.startsWith('IP:')) return der(0x87, Buffer.from(san.slice(3).split('.').map(Number)));
    return der(san.startsWith('DNS:') ? 0x82 : 0x86, Buffer.from(san.slice(4)));
  });
  return sequence(oid('551d11'), der(0x04, sequence(...names)));
}
