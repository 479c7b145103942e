/**
 * `npm run fuzz [-- path …]`: the fuzz tests with a million inputs each. FUZZ_RUNS asks for another number, FUZZ_SEED for
 * the inputs of an earlier run, FUZZ_ONLY for the one that a failure named.
 */
process.env.FUZZ_RUNS ||= '1000000';
if (process.argv.length === 2) process.argv.push('test/fuzz');
await import('./test.mjs');
