import kafkajs, { type Kafka } from 'kafkajs';
import { SNAPPY_CODEC } from './snappy-codec.js';

/** How to reach a Kafka. */
export interface KafkaConnection {
  /** `host:port`, one or more of the cluster. */
  brokers: readonly string[];
  /** TLS; the system's CAs unless `ca` is given, and a certificate of our own where brokers ask for one. All PEM. */
  tls?: { ca?: string; cert?: string; key?: string } | undefined;
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | undefined;
}

const CONNECT_TIMEOUT_MS = 3000;
const AUTHENTICATE_TIMEOUT_MS = 5000;
/** What fails for longer is given up and begun anew by whoever asked: a client that had trouble is not trusted to heal itself. */
export const FEW_RETRIES = { retries: 3, initialRetryTime: 100, maxRetryTime: 1000 };

/** A client of kafkajs in which every request has a deadline. It is silent: what goes wrong reaches its callers as errors. */
export function openKafka({ brokers, tls, sasl }: KafkaConnection, requestTimeoutMs: number): Kafka {
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = () => SNAPPY_CODEC;
  return new kafkajs.Kafka({
    clientId: 'tollgate',
    brokers: [...brokers],
    ...(tls && { ssl: tls }),
    ...(sasl && { sasl: saslOptions(sasl) }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: AUTHENTICATE_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: FEW_RETRIES,
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

/** One by one, as the types of kafkajs tie each mechanism to its options. */
function saslOptions({ mechanism, username, password }: NonNullable<KafkaConnection['sasl']>) {
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password };
    case 'scram-sha-256':
      return { mechanism, username, password };
    case 'scram-sha-512':
      return { mechanism, username, password };
  }
}
