import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { StoreLimit, TakeRequest, TakeResult } from '../src/limit-store.js';
import { dayQuota, rate } from './limit-store-behaves.js';
import { type Passed, worstExcess } from './window-bound.js';

/** A store whose clock the test moves. */
export interface ModelSubject {
  takeAt(nowUs: number, request: TakeRequest): Promise<TakeResult>;
  /** Drops the state of these limits, as their expiry does; missing where nothing expires. */
  expire?(organizationId: string, limitIds: readonly string[]): Promise<void>;
}

/** What a store must be indistinguishable from: exact whole numbers, no rounding, no expiry, no concurrency. */
export interface Model {
  organizationId: string;
  nowUs: bigint;
  limits: readonly [minute: ModelRate, key: ModelRate];
  quota: bigint;
  buckets: Map<string, { units: bigint; atUs: bigint; fullAtUs: bigint }>;
  used: { day: bigint; count: bigint };
  /** Since the limits last changed. */
  passed: Passed[];
}

export interface ModelRate {
  perMinute: bigint;
  burst: bigint;
}

/** One request, in parts of which `per minute` come back each microsecond. */
const UNITS = 60_000_000n;
const SLACK_US = 60_000_000n;
const DAY_US = 86_400_000_000n;
const LIMIT_IDS = ['minute', 'key'] as const;

type Real = { subject: ModelSubject };
type ModelCommand = fc.AsyncCommand<Model, Real>;

/** Runs any history of takes, looks, pauses, changed limits and expiries. Resolves to how many commands that were. */
export async function checkAgainstModel(subject: ModelSubject, startUs: bigint, numRuns: number): Promise<number> {
  let histories = 0;
  let commands = 0;
  await fc.assert(
    fc.asyncProperty(anyHistory, async (history) => {
      const model: Model = {
        organizationId: `model ${histories++}`,
        nowUs: startUs,
        limits: [
          { perMinute: 60n, burst: 10n },
          { perMinute: 600n, burst: 4n },
        ],
        quota: 40n,
        buckets: new Map(),
        used: { day: 0n, count: 0n },
        passed: [],
      };
      await fc.asyncModelRun(() => ({ model, real: { subject } }), history);
      for (const _ of history) commands++;
    }),
    { numRuns },
  );
  return commands;
}

class Take implements ModelCommand {
  constructor(readonly cost: number) {}
  check = (): boolean => true;
  toString = (): string => `take(${this.cost})`;

  async run(model: Model, { subject }: Real): Promise<void> {
    const looks = lookAt(model);
    const cost = BigInt(this.cost);
    const isAllowed = looks.every(({ left }) => left >= cost);
    if (isAllowed) take(model, cost);
    const request = { organizationId: model.organizationId, cost: this.cost, limits: limitsOf(model) };
    const result = await subject.takeAt(Number(model.nowUs), request);
    assert.equal(result.isAllowed, isAllowed);
    const left = lookAt(model).map((limit) => Number(limit.left));
    assert.deepEqual(
      result.states.map(({ remaining }) => remaining),
      left,
    );
    for (const [i, { remaining }] of result.states.entries())
      assert.ok(remaining >= 0 && remaining <= Number(looks[i]?.size), 'a state below nothing or above its capacity');
    if (isAllowed && this.cost > 0) noteInBound(model, this.cost);
  }
}

class Pause implements ModelCommand {
  constructor(readonly us: number) {}
  check = (): boolean => true;
  toString = (): string => `pause(${this.us} µs)`;

  async run(model: Model): Promise<void> {
    model.nowUs += BigInt(this.us);
  }
}

class ChangeLimits implements ModelCommand {
  constructor(
    readonly limits: Model['limits'],
    readonly quota: bigint,
  ) {}
  check = (): boolean => true;
  toString = (): string =>
    `limits(${this.limits.map(({ perMinute, burst }) => `${perMinute}/${burst}`).join(', ')}, ${this.quota} a day)`;

  async run(model: Model): Promise<void> {
    model.limits = this.limits;
    model.quota = this.quota;
    model.passed = [];
  }
}

/** A bucket that has been full for a minute goes; its absence means the same. */
class Expire implements ModelCommand {
  check = (): boolean => true;
  toString = (): string => 'expire()';

  async run(model: Model, { subject }: Real): Promise<void> {
    if (subject.expire === undefined) return;
    const ids = LIMIT_IDS.filter((id) => (model.buckets.get(id)?.fullAtUs ?? model.nowUs) + SLACK_US <= model.nowUs);
    for (const id of ids) model.buckets.delete(id);
    await subject.expire(model.organizationId, ids);
  }
}

const anyRate = fc.record({ perMinute: fc.bigInt(1n, 6_000n), burst: fc.bigInt(0n, 20n) });
const anyCommand: fc.Arbitrary<ModelCommand>[] = [
  fc.integer({ min: 1, max: 3 }).map((cost) => new Take(cost)),
  fc.integer({ min: 1, max: 3 }).map((cost) => new Take(cost)),
  fc.integer({ min: 0, max: 25 }).map((cost) => new Take(cost)),
  fc.integer({ min: 1, max: 2_000_000 }).map((us) => new Pause(us)),
  fc.constantFrom(1, 999, 60_000_000, 3_600_000_000, 86_400_000_000, 200_000_000_000).map((us) => new Pause(us)),
  fc.tuple(anyRate, anyRate, fc.bigInt(0n, 60n)).map(([minute, key, quota]) => new ChangeLimits([minute, key], quota)),
  fc.constant(new Expire()),
];
const anyHistory = fc.commands(anyCommand, { maxCommands: 40, size: 'max' });

function limitsOf(model: Model): StoreLimit[] {
  const rates = model.limits.map(({ perMinute, burst }, i) => ({
    ...rate(Number(perMinute), Number(burst)),
    id: LIMIT_IDS[i] ?? '',
  }));
  return [...rates, dayQuota(Number(model.quota))];
}

function lookAt(model: Model): { id: string; size: bigint; left: bigint }[] {
  const used = model.used.day === model.nowUs / DAY_US ? model.used.count : 0n;
  model.used = { day: model.nowUs / DAY_US, count: used };
  const rates = LIMIT_IDS.map((id, i) => ({ id, size: model.limits[i]?.burst ?? 0n, left: unitsNow(model, id) / UNITS }));
  return [...rates, { id: 'day', size: model.quota, left: model.quota > used ? model.quota - used : 0n }];
}

const sizeOf = (model: Model, id: string): bigint => (model.limits[id === 'minute' ? 0 : 1]?.burst ?? 0n) * UNITS;

/** Refilled since the last take at the rate of now, and never more than its size of now. */
function unitsNow(model: Model, id: string): bigint {
  const bucket = model.buckets.get(id);
  const size = sizeOf(model, id);
  if (bucket === undefined) return size;
  const perMinute = model.limits[id === 'minute' ? 0 : 1]?.perMinute ?? 0n;
  const units = bucket.units + (model.nowUs - bucket.atUs) * perMinute;
  return units < size ? units : size;
}

function take(model: Model, cost: bigint): void {
  if (cost === 0n) return;
  for (const [i, id] of LIMIT_IDS.entries()) {
    const units = unitsNow(model, id) - cost * UNITS;
    const refillUs = (sizeOf(model, id) - units) / (model.limits[i]?.perMinute ?? 1n) + 1n;
    model.buckets.set(id, { units, atUs: model.nowUs, fullAtUs: model.nowUs + refillUs });
  }
  model.used.count += cost;
}

/** Apart from the model: in no window since the limits changed passed more than burst + rate × time. */
function noteInBound(model: Model, cost: number): void {
  model.passed.push({ atMs: Number(model.nowUs % (1_000n * DAY_US)) / 1_000, cost });
  for (const { perMinute, burst } of model.limits)
    assert.ok(worstExcess(model.passed, Number(perMinute), Number(burst)) <= 1e-3, 'more than burst + rate × time passed');
}
