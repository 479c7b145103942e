/** `node deploy/health-check.mjs URL`: exit code 0 where it answers 2xx within two seconds. The image has no curl. */
const DEADLINE_MS = 2_000;

const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(DEADLINE_MS) });
console.log(response.status, await response.text());
// Not at its own pace: the connection, which is kept for a next request, would hold it up for seconds.
process.exit(response.ok ? 0 : 1);
