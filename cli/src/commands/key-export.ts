import { type KeyFileFormat, keyFileHeader, keyFileLine } from '@tollgate/domain/key-file';
import type { KeyRow } from '@tollgate/domain/key-row';
import { exportApiKeys } from '@tollgate/postgres/export-api-keys';
import type { Command } from '../command.js';
import { harmlessJson } from '../printable.js';
import { isOrganizationGiven, ORG_OPTION, organizationOf } from '../subject.js';

export const keyExport: Command = {
  noun: 'key',
  verb: 'export',
  describe: 'Prints keys by their hashes, never a secret, as key import reads them: JSON lines, or CSV with `-o csv`.',
  example: 'tollgate key export --org "Acme Ltd" > keys.jsonl',
  options: ORG_OPTION,
  formats: ['table', 'json', 'csv'],
  async run(args, { database, output }) {
    const db = await database();
    const organization = isOrganizationGiven(args) ? await organizationOf(args, db) : undefined;
    const pages = exportApiKeys(db, organization === undefined ? {} : { organizationId: organization.id });
    await output.stream(lines(output.format === 'csv' ? 'csv' : 'jsonl', pages));
  },
};

async function* lines(format: KeyFileFormat, pages: AsyncIterable<KeyRow[]>): AsyncGenerator<string> {
  yield keyFileHeader(format);
  for await (const page of pages) {
    const text = page.map((row) => keyFileLine(format, row)).join('');
    yield format === 'jsonl' ? harmlessJson(text) : text;
  }
}
