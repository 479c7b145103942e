export interface CircuitBreakerOptions {
  /** Tries the guarded thing, in the background; it may be used again when this resolves. */
  probe: () => Promise<unknown>;
  /** `cause` is the last failure where the breaker opened. */
  onChange: (isOpen: boolean, cause?: unknown) => void;
  /** In a row; default 3. */
  failuresToOpen?: number;
  /** Between two probes, give or take a quarter; default 500. */
  probeIntervalMs?: number;
  /** One that opens again sooner than this after it closed waits for the rest before it probes: it does not flap. Default 5,000. */
  minCycleMs?: number;
}

export interface CircuitBreaker {
  isOpen(): boolean;
  /** Asked before a call, and told to `failed` if that call fails. */
  round(): number;
  succeeded(): void;
  failed(round: number, cause: unknown): void;
  close(): void;
}

/**
 * While it is open nobody should call; only a probe closes it, so results of calls that were under way change nothing.
 * Calls of one round fail as one: sixty-four that were under way together when everything stood still for a moment, or when
 * this process did, say no more than one of them. The next round begins when a failure was counted.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { probe, onChange, failuresToOpen = 3, probeIntervalMs = 500, minCycleMs = 5_000 } = options;
  let failures = 0;
  let current = 0;
  let isOpen = false;
  let isStopped = false;
  let closedAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const probeIn = (waitMs: number): void => {
    if (isStopped) return;
    timer = setTimeout(() => void probe().then(shut, () => probeIn(jittered(probeIntervalMs))), waitMs).unref();
  };
  const shut = (): void => {
    if (isStopped) return;
    isOpen = false;
    failures = 0;
    current++;
    closedAtMs = performance.now();
    onChange(false);
  };

  return {
    isOpen: () => isOpen,
    round: () => current,
    succeeded() {
      failures = 0;
    },
    failed(round, cause) {
      if (isOpen || round !== current) return;
      current++;
      if (++failures < failuresToOpen) return;
      isOpen = true;
      onChange(true, cause);
      probeIn(Math.max(jittered(probeIntervalMs), closedAtMs + minCycleMs - performance.now()));
    },
    close() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

const jittered = (ms: number): number => ms * (0.75 + Math.random() / 2);
