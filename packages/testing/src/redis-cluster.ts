import { onFreePorts } from './on-free-ports.js';
import { type RedisServer, startRedisOn } from './redis.js';
import { redisCommand } from './redis-command.js';
import { type RedisTls, tlsArguments } from './redis-tls.js';
import { until } from './until.js';

const FIRST_SLOTS = [0, 5461, 10_923, 16_384];
const FORM_DEADLINE_MS = 30_000;

export interface RedisCluster {
  /** `redis+cluster://…` with two of the masters. */
  url: string;
  masters: readonly RedisServer[];
  /** Of the first master. */
  replica: RedisServer;
  /** Sends a command to every node. */
  onEach(...command: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Three masters, and a replica of the first, which takes its place when it is gone for `nodeTimeoutMs`. Ready when all agree. */
export async function startRedisCluster({ nodeTimeoutMs = 5_000, tls }: ClusterOptions = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: 4 }, () => startNode(nodeTimeoutMs, tls)));
  const [first, second, third, replica] = nodes as [Node, Node, Node, Node];
  const masters = [first, second, third];
  for (const [i, { port }] of masters.entries()) {
    await redisCommand(port, 'CLUSTER', 'ADDSLOTSRANGE', String(FIRST_SLOTS[i]), String((FIRST_SLOTS[i + 1] ?? 0) - 1));
    await redisCommand(port, 'CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  }
  for (const { clientPort, busPort } of nodes.slice(1))
    await redisCommand(first.port, 'CLUSTER', 'MEET', '127.0.0.1', String(clientPort), String(busPort));
  const firstId = await redisCommand(first.port, 'CLUSTER', 'MYID');
  await until(() => redisCommand(replica.port, 'CLUSTER', 'REPLICATE', firstId), FORM_DEADLINE_MS, 'a replica of the first node');
  await until(() => agree(nodes), FORM_DEADLINE_MS, 'the cluster');
  return {
    url: `${tls === undefined ? 'redis' : 'rediss'}+cluster://127.0.0.1:${first.clientPort},127.0.0.1:${second.clientPort}`,
    masters: masters.map(({ server }) => server),
    replica: replica.server,
    onEach: async (...command) => {
      for (const { port } of nodes) await redisCommand(port, ...command);
    },
    close: async () => {
      await Promise.all(nodes.map(({ server }) => server.close()));
    },
  };
}

interface ClusterOptions {
  nodeTimeoutMs?: number;
  /** Of every node, for 127.0.0.1. */
  tls?: RedisTls;
}

interface Node {
  server: RedisServer;
  /** For commands of the tests, without TLS. */
  port: number;
  /** That the nodes and their clients use. */
  clientPort: number;
  busPort: number;
}

function startNode(nodeTimeoutMs: number, tls: RedisTls | undefined): Promise<Node> {
  return onFreePorts(3, async ([port = 0, busPort = 0, tlsPort = 0]) => {
    const server = await startRedisOn(port, {
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-node-timeout', String(nodeTimeoutMs)],
        // A failover leaves the other slots in service, and never waits for the replica to catch up with an idle link.
        ...['--cluster-require-full-coverage', 'no', '--cluster-replica-validity-factor', '0'],
        ...(tls === undefined ? [] : [...tlsArguments(tls, tlsPort), '--tls-cluster', 'yes', '--tls-replication', 'yes']),
      ],
    });
    return { server, port, clientPort: tls === undefined ? port : tlsPort, busPort };
  });
}

/** Whether each knows every slot, and all four nodes, with the replica in its place. */
async function agree(nodes: readonly Node[]): Promise<boolean> {
  for (const { port } of nodes) {
    const info = await redisCommand(port, 'CLUSTER', 'INFO');
    const view = await redisCommand(port, 'CLUSTER', 'NODES');
    const lines = view.trim().split('\n');
    const replicas = lines.filter((line) => line.includes('slave'));
    if (!/cluster_slots_ok:16384/.test(info) || !info.includes('cluster_state:ok')) return false;
    if (lines.length !== nodes.length || replicas.length !== 1 || /handshake|fail/.test(view)) return false;
  }
  return (await redisCommand(nodes.at(-1)?.port ?? 0, 'INFO', 'replication')).includes('master_link_status:up');
}
