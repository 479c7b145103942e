/** Text that could be taken for something else on its way into the database and back. */
export const HOSTILE_STRINGS: readonly string[] = [
  "'; DROP TABLE organizations; --",
  `" OR ""="`,
  "Robert'); DELETE FROM api_keys WHERE ('1'='1",
  '$1 $2 $(x) %s %n \\',
  '{a,b,"c"}',
  '{NULL}',
  'NULL',
  '\\x41\\000\\u0041',
  '=cmd|"/C calc"!A1',
  '../../etc/passwd',
  '<script>alert(1)</script>',
  'ünïcödé 名前 🗝️',
  '\u202Eright to left',
  'a,b;c d',
  '% _ like',
  '{"json": ["x"]}',
];

/** Texts of events may hold more than names may: among them what COPY and arrays take for something else. */
export const HOSTILE_EVENT_TEXTS: readonly string[] = [
  ...HOSTILE_STRINGS,
  '\\.',
  '\\N',
  '',
  'a\tb\nc\rd\\\\e',
  '\b\f\v\u0001\u001f\u007f',
  'a\\',
  'x\uFEFF\uFFFD\u{10FFFF}',
  ' NULL ',
  '"',
];
