/**
 * Kafka's Metadata request, version 10, which tells the id of a topic. kafkajs stops at version 6, which does not, so the
 * request is written here and sent over a connection of kafkajs, which has logged in already.
 */
import type { Kafka } from 'kafkajs';
import { WireReader, wireBytes } from './wire.js';

export interface TopicFacts {
  /** Made with the topic: one that was deleted and made again has another. */
  id: string;
  partitions: readonly PartitionFacts[];
}

export interface PartitionFacts {
  partition: number;
  replicas: number;
  inSyncReplicas: number;
}

const METADATA = 3;
const VERSION = 10;
const UNKNOWN_TOPIC = 3;
const NO_ID = Buffer.alloc(16);

/** A connection to one cluster that asks about topics. */
export interface MetadataConnection {
  /** Undefined where there is no such topic; asking does not make it. */
  ask(topic: string): Promise<TopicFacts | undefined>;
  close(): Promise<void>;
}

interface Request {
  request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<{ buf: Buffer; buffer: Buffer }> };
  response: { decode(payload: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
}
/** As much of the inside of kafkajs 2.2 as is used here. */
interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  brokerPool: { findConnectedBroker(): Promise<{ connectionPool: { send(request: Request): Promise<unknown> } }> };
}

export async function openMetadataConnection(kafka: Kafka): Promise<MetadataConnection> {
  const cluster = clusterOf(kafka);
  await cluster.connect();
  return {
    ask: async (topic) => {
      const broker = await cluster.brokerPool.findConnectedBroker();
      const answer = (await broker.connectionPool.send(metadataRequest(topic))) as { facts: TopicFacts | undefined };
      return answer.facts;
    },
    close: () => cluster.disconnect(),
  };
}

/** kafkajs keeps what makes connections behind a symbol. */
function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === 'private:Kafka:createCluster');
  const create = symbol === undefined ? undefined : (kafka as unknown as Record<symbol, unknown>)[symbol];
  if (typeof create !== 'function') throw new Error('this version of kafkajs is not 2.2: it makes no cluster');
  return create({ metadataMaxAge: 300_000, allowAutoTopicCreation: false }) as Cluster;
}

function metadataRequest(topic: string): Request {
  const body = wireBytes((out) => {
    out.tags(); // of the request's header, which kafkajs writes in its older form
    out.compactLength(1);
    out.bytes(NO_ID);
    out.compactString(topic);
    out.tags();
    out.bytes(Buffer.from([0, 0, 0])); // no topic is made, no authorized operations are told
    out.tags();
  });
  return {
    request: {
      apiKey: METADATA,
      apiVersion: VERSION,
      apiName: 'Metadata',
      encode: async () => ({ buf: body, buffer: body }),
    },
    response: { decode: async (payload) => topicFacts(new WireReader(payload)), parse: async (decoded) => decoded },
  };
}

/** The one topic that was asked about. Throws where Kafka does not tell; a topic without a leader is told all the same. */
function topicFacts(wire: WireReader): { facts: TopicFacts | undefined } {
  wire.skipTags(); // of the response's header
  wire.int32(); // throttle time
  wire.compactArray(() => skipBroker(wire));
  wire.compactString(); // cluster
  wire.int32(); // controller
  const [topic] = wire.compactArray(() => readTopic(wire));
  if (topic === undefined || topic.error === UNKNOWN_TOPIC) return { facts: undefined };
  if (topic.id.equals(NO_ID)) throw new Error(`Kafka does not tell about the topic (error ${topic.error})`);
  return { facts: { id: uuidText(topic.id), partitions: topic.partitions } };
}

function skipBroker(wire: WireReader): void {
  wire.int32();
  wire.compactString();
  wire.int32();
  wire.compactString();
  wire.skipTags();
}

function readTopic(wire: WireReader) {
  const error = wire.int16();
  wire.compactString(); // name
  const id = Buffer.from(wire.bytes(16));
  wire.bytes(1); // is internal
  const partitions = wire.compactArray(() => readPartition(wire));
  wire.int32(); // authorized operations
  wire.skipTags();
  return { error, id, partitions };
}

function readPartition(wire: WireReader): PartitionFacts {
  wire.int16(); // error
  const partition = wire.int32();
  wire.int32(); // leader
  wire.int32(); // leader's epoch
  const replicas = wire.compactArray(() => wire.int32()).length;
  const inSyncReplicas = wire.compactArray(() => wire.int32()).length;
  wire.compactArray(() => wire.int32()); // offline
  wire.skipTags();
  return { partition, replicas, inSyncReplicas };
}

function uuidText(id: Buffer): string {
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
