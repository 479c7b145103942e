/**
 * Counts a run for its last line, `N passed, N failed`. Not only tests fail: a file that cannot be loaded, a suite whose
 * set-up throws, and an error outside every test each count as one failure, and a test that never finished did not pass.
 */
export function createPlainLineReporter() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  return {
    onTestRunEnd(modules, unhandledErrors) {
      for (const module of modules) countModule(module, counts);
      counts.failed += unhandledErrors.length;
    },
    /** A run that fails as a whole (no tests, no database, a failed tear-down) never looks like a good one. */
    result(exitCode) {
      const isFailure = exitCode !== 0 || counts.failed > 0 || counts.passed === 0;
      const failed = isFailure ? Math.max(counts.failed, 1) : 0;
      const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
      return { line: `${counts.passed} passed, ${failed} failed${skipped}`, exitCode: isFailure ? 1 : 0 };
    },
  };
}

function countModule(module, counts) {
  if (module.errors().length > 0) counts.failed++;
  for (const suite of module.children.allSuites()) {
    if (suite.errors().length > 0) counts.failed++;
  }
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    counts[state === 'passed' || state === 'skipped' ? state : 'failed']++;
  }
}
