import { hashApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import { expect, test } from 'vitest';
import { createKnownKeys } from '../src/known-keys.js';

const hashes = Array.from({ length: 10 }, (_, i) => hashApiKey(`key ${i}`)).sort((a, b) => (a < b ? -1 : 1));
const [first, last, stranger] = [hashes[0] as string, hashes[9] as string, hashApiKey('stranger')];

/** Known keys over a table that is a list; `pages` answers when the test lets it. */
function aWorld() {
  const table = [...hashes];
  const errors: unknown[] = [];
  const pages: { read(): void; fail(): void }[] = [];
  const known = createKnownKeys({
    pageHashes: 4,
    listHashes: (after, limit) =>
      new Promise((resolve, reject) => {
        // What a page holds is settled when it is asked for, as a snapshot is.
        const page = table
          .filter((hash) => hash > after)
          .sort((a, b) => (a < b ? -1 : 1))
          .slice(0, limit);
        pages.push({ read: () => resolve(page), fail: () => reject(new Error('down')) });
      }),
    pause: async () => {},
    onError: (error) => errors.push(error),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const readPage = async () => {
    pages.shift()?.read();
    await settle();
  };
  const readAll = async () => {
    while (pages.length > 0) await readPage();
  };
  return { table, errors, pages, known, readPage, readAll, settle };
}

test('nobody is called unknown before all keys were read', async () => {
  const { known, readPage, readAll } = aWorld();
  expect(known.has(stranger)).toBeUndefined();
  known.reload();
  await readPage();
  expect([known.has(first), known.has(last), known.has(stranger)]).toEqual([true, undefined, undefined]);
  await readAll();
  expect(hashes.map(known.has)).toEqual(hashes.map(() => true));
  expect(known.has(stranger)).toBe(false);
  expect(known.size()).toBe(10);
});

test('a key that is made is known at once, also while its page was read already', async () => {
  const { known, readPage, readAll } = aWorld();
  known.reload();
  await readPage();
  const early = '0'.repeat(64);
  known.add(early);
  await readAll();
  expect(known.has(early)).toBe(true);
  known.add(stranger);
  expect(known.has(stranger)).toBe(true);
});

test('during a reload nobody is unknown, and who was known stays so', async () => {
  const { table, known, readPage, readAll } = aWorld();
  known.reload();
  await readAll();
  table.push(stranger);
  known.reload();
  expect(known.has(stranger)).toBeUndefined();
  await readPage();
  expect(hashes.map(known.has)).toEqual(hashes.map(() => true));
  await readAll();
  expect(known.has(stranger)).toBe(true);
});

test('a reload during a reload begins anew, since pages that were read may lack its keys', async () => {
  const { table, known, readPage, readAll } = aWorld();
  known.reload();
  await readPage();
  const early = '0'.repeat(64);
  table.unshift(early);
  known.reload();
  await readPage();
  expect(known.has(early)).toBeUndefined();
  await readAll();
  expect(known.has(early)).toBe(true);
});

test('a key that is gone is forgotten at the next reload', async () => {
  const { table, known, readAll } = aWorld();
  known.reload();
  await readAll();
  table.shift();
  known.reload();
  await readAll();
  expect(known.has(first)).toBe(false);
});

test('a page that cannot be read is told and tried again, and nobody is unknown meanwhile', async () => {
  const { known, pages, errors, readPage, readAll } = aWorld();
  known.reload();
  await readPage();
  pages.shift()?.fail();
  await until(() => pages.length > 0);
  expect(errors).toEqual([new Error('down')]);
  expect(known.has(stranger)).toBeUndefined();
  await readAll();
  expect(known.has(stranger)).toBe(false);
});

test('after the end nothing more is asked for', async () => {
  const { known, pages, readPage, settle } = aWorld();
  known.reload();
  known.close();
  await readPage();
  await settle();
  expect(pages).toEqual([]);
});
