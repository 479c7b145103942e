/** Load on authz from a process of its own; see check-driver. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface DriverOptions {
  /** Of authz. */
  socketPath: string;
  connections: number;
  /** A CheckRequest in base64, and the key in it, in whose place other keys are put. */
  message: string;
  keyOfMessage: string;
  /** Keys one after the other, 40 bytes each, which are asked for in turn. */
  keysFile: string;
  /** What has no answer after so long is cancelled: Envoy would wait no longer either. */
  giveUpMs: number;
}

/** Either `perSecond` calls a second whatever comes back, or always so many `inFlight`. */
export interface LoadOrder {
  perSecond?: number;
  inFlight?: number;
  seconds: number;
  /** In place of a time: so many calls. */
  calls?: number;
  /** Beyond it a call is not sent: Envoy's circuit breaker. */
  maxInFlight?: number;
}

export interface LoadReport {
  /** Calls that should have begun. Each has one of the ends below. */
  due: number;
  /** A decision in time. */
  accepted: number;
  shed: number;
  /** Not sent, as too many were in flight. */
  refused: number;
  /** Given up. */
  late: number;
  /** Lost with their connection. */
  broken: number;
  other: number;
  seconds: number;
  /** Of the load generator itself. */
  cpuSeconds: number;
  /** From the moment when the call was due. */
  accepted50Ms: number;
  accepted99Ms: number;
  shed50Ms: number;
  shed99Ms: number;
}

export interface CheckDriver {
  pid: number;
  load(order: LoadOrder): Promise<LoadReport>;
  close(): void;
}

/** `program` is the built check-driver. Throws where it does not reach authz. */
export async function startCheckDriver(program: string, options: DriverOptions): Promise<CheckDriver> {
  const child = fork(program, { serialization: 'advanced' });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the load generator has ended');
  });
  ended.catch(() => {}); // Told to whoever waits for it.
  // Not in its arguments, which everybody may read: there is a key in it.
  child.send(options);
  await Promise.race([once(child, 'message'), ended]);
  return {
    pid: child.pid as number,
    async load(order) {
      child.send(order);
      const [report] = (await Promise.race([once(child, 'message'), ended])) as [LoadReport];
      return report;
    },
    close: () => disconnect(child),
  };
}

function disconnect(child: ChildProcess): void {
  if (child.connected) child.disconnect();
}
