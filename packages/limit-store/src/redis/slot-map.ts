import type { RedisHost } from '@tollgate/service-kit/redis-address';

/** `host:port`, the name of a node. */
export type NodeName = string;

export const nodeName = ({ host, port }: RedisHost): NodeName => `${host}:${port}`;

export function hostOf(name: NodeName): RedisHost {
  const colon = name.lastIndexOf(':');
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}

/**
 * The master of each slot, from the reply to CLUSTER SLOTS: [first slot, last slot, [host, port, …] of the master, …]. A node
 * that does not know its own address means the one it was asked at.
 */
export function mastersBySlot(reply: unknown, askedAt: string): (NodeName | undefined)[] {
  const masters: (NodeName | undefined)[] = [];
  for (const [first, last, master] of reply as [number, number, [string | null, number] | undefined][]) {
    if (master === undefined || master[0] === '?') continue;
    masters.length = Math.max(masters.length, last + 1);
    masters.fill(nodeName({ host: master[0] || askedAt, port: master[1] }), first, last + 1);
  }
  return masters;
}

/** `MOVED <slot> <host>:<port>` or `ASK …`; the host may be missing. */
export function parseRedirection(
  error: unknown,
  askedAt: string,
): { kind: 'MOVED' | 'ASK'; slot: number; to: NodeName } | undefined {
  const [, kind, slot, host, port] = /^(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})$/.exec((error as Error).message) ?? [];
  if (kind === undefined) return undefined;
  return { kind: kind as 'MOVED' | 'ASK', slot: Number(slot), to: nodeName({ host: host || askedAt, port: Number(port) }) };
}
