import { withDeadline } from '@tollgate/service-kit/deadline';
import kafkajs, { type Kafka, type Message, type Producer } from 'kafkajs';
import { explained } from './explain-failure.js';
import { FEW_RETRIES } from './kafka-client.js';
import { rememberingPartitioner } from './partitioner.js';

/** Sends messages to one topic, one call at a time. */
export interface Producing {
  /** Resolves when all in-sync replicas have the messages. Rejects after the deadline at the latest; some may be there. */
  send(messages: Message[]): Promise<void>;
  close(): Promise<void>;
}

const DISCONNECT_DEADLINE_MS = 1000;

/**
 * An idempotent producer of kafkajs that is replaced after every failure: it numbers what it sends, and would give the
 * numbers of messages that it gave up to others, which Kafka then takes for repetitions and drops if the first arrived.
 */
export function createProducing(kafka: Kafka, topic: string, deadlineMs: number): Producing {
  let current: Promise<Producer> | undefined;

  const open = async (): Promise<Producer> => {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: rememberingPartitioner,
      retry: FEW_RETRIES,
    });
    await producer.connect();
    return producer;
  };
  const drop = async () => {
    const dropped = current;
    current = undefined;
    const gone = dropped?.then((producer) => producer.disconnect()) ?? Promise.resolve();
    await withDeadline(gone, DISCONNECT_DEADLINE_MS, 'leaving Kafka').catch(() => {});
  };
  const send = async (messages: Message[]) => {
    current ??= open();
    const producer = await current;
    await producer.send({ topic, messages, acks: -1, timeout: deadlineMs, compression: kafkajs.CompressionTypes.Snappy });
  };

  return {
    send: async (messages) => {
      try {
        await withDeadline(send(messages), deadlineMs, 'an append to Kafka');
      } catch (error) {
        void drop();
        throw explained(error);
      }
    },
    close: drop,
  };
}
