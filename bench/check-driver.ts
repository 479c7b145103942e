/**
 * The load generator, a process of its own: a parent sends orders over IPC, one at a time. It behaves as an Envoy does whose
 * limits it is told: calls that nobody answers are given up, and beyond `maxInFlight` none is sent.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type CheckConnection, openCheckConnection } from './check-connection.js';
import type { AnswerKind } from './check-frames.js';
import type { DriverOptions, LoadOrder, LoadReport } from './check-load.js';
import { percentile } from './statistics.js';

const TICK_MS = 1;
/** For the answers to what was sent last. */
const REST_MS = 1_000;
const KEY_BYTES = 40;

const [options] = (await once(process, 'message')) as [DriverOptions];
const secrets = readFileSync(options.keysFile);
const keyCount = secrets.length / KEY_BYTES;
let nextKey = 0;
const connections: CheckConnection[] = [];
let run = startRun();

interface Run {
  report: LoadReport;
  acceptedMs: number[];
  shedMs: number[];
}

function startRun(): Run {
  const report: LoadReport = {
    ...{ due: 0, accepted: 0, shed: 0, refused: 0, late: 0, broken: 0, other: 0 },
    ...{ seconds: 0, cpuSeconds: 0, accepted50Ms: 0, accepted99Ms: 0, shed50Ms: 0, shed99Ms: 0 },
  };
  return { report, acceptedMs: [], shedMs: [] };
}

function onAnswer(kind: AnswerKind, dueMs: number): void {
  const tookMs = performance.now() - dueMs;
  run.report[kind]++;
  if (kind === 'accepted') run.acceptedMs.push(tookMs);
  else if (kind === 'shed') run.shedMs.push(tookMs);
}

/** A connection that authz ends is replaced, as Envoy does it. What was in flight on it is lost. */
async function connect(place: number): Promise<void> {
  connections[place] = await openCheckConnection({
    socketPath: options.socketPath,
    message: Buffer.from(options.message, 'base64'),
    key: options.keyOfMessage,
    onAnswer,
    onBroken(lostCalls) {
      run.report.broken += lostCalls;
      void connect(place);
    },
  });
}

function key(): Buffer {
  const at = nextKey * KEY_BYTES;
  nextKey = (nextKey + 1) % keyCount;
  return secrets.subarray(at, at + KEY_BYTES);
}

function inFlight(): number {
  return connections.reduce((total, connection) => total + connection.inFlight(), 0);
}

/** Calls go round the connections. What there is no room for is refused by the caller, as Envoy's circuit breaker does. */
function send(count: number, dueMsOf: (n: number) => number, maxInFlight: number): void {
  let room = maxInFlight - inFlight();
  const open = connections.filter((connection) => !connection.isOver());
  for (let n = 0; n < count; n++) {
    const connection = open[run.report.due++ % open.length];
    if (room-- <= 0 || connection === undefined) run.report.refused++;
    else connection.call(key(), dueMsOf(n));
  }
}

/** Resolves when `seconds` are over and every call has its end. */
function load(order: LoadOrder): Promise<LoadReport> {
  run = startRun();
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + order.seconds * 1000;
  return new Promise((resolve) => {
    const tick = setInterval(() => {
      const nowMs = performance.now();
      const sinceMs = Math.min(nowMs, endMs) - startMs;
      if (nowMs < endMs || order.calls !== undefined) sendDue(order, sinceMs, startMs);
      for (const each of connections) run.report.late += each.giveUp(nowMs - options.giveUpMs);
      for (const each of connections) each.flush();
      const isOver = order.calls === undefined ? nowMs >= endMs : run.report.due >= order.calls;
      if (!isOver || (inFlight() > 0 && nowMs < endMs + REST_MS)) return;
      clearInterval(tick);
      resolve(finished(cpu, order.calls === undefined ? order.seconds : (nowMs - startMs) / 1000));
    }, TICK_MS);
  });
}

function sendDue(order: LoadOrder, sinceMs: number, startMs: number): void {
  const { perSecond, inFlight: kept, maxInFlight = Number.POSITIVE_INFINITY, calls = Number.POSITIVE_INFINITY } = order;
  const left = calls - run.report.due;
  if (perSecond !== undefined) {
    const from = run.report.due;
    const count = Math.min(left, Math.floor((sinceMs / 1000) * perSecond) - from);
    send(count, (n) => startMs + ((from + n) / perSecond) * 1000, maxInFlight);
  } else if (kept !== undefined) {
    const nowMs = performance.now();
    send(Math.min(left, kept - inFlight()), () => nowMs, maxInFlight);
  }
}

function finished(cpu: NodeJS.CpuUsage, seconds: number): LoadReport {
  const { user, system } = process.cpuUsage(cpu);
  const [accepted50Ms, accepted99Ms] = percentiles(run.acceptedMs);
  const [shed50Ms, shed99Ms] = percentiles(run.shedMs);
  return { ...run.report, seconds, cpuSeconds: (user + system) / 1e6, accepted50Ms, accepted99Ms, shed50Ms, shed99Ms };
}

function percentiles(values: readonly number[]): [p50: number, p99: number] {
  const sorted = Float64Array.from(values).sort();
  return [percentile(sorted, 0.5), percentile(sorted, 0.99)];
}

for (let place = 0; place < options.connections; place++) await connect(place);
process.on('message', (order: LoadOrder) => void load(order).then((report) => process.send?.(report)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
