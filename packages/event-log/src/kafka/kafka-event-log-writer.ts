/**
 * Appends usage events to a topic. `append` resolves when all in-sync replicas have the events: with the topic's
 * `min.insync.replicas` what was acknowledged survives the loss of as many brokers as that allows. The key is the
 * organization, so that its events stay in order. After a failure everything that waits is rejected in order: who appends
 * it again in that order keeps it.
 */
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Message } from 'kafkajs';
import { EventLogFull, type EventLogWriter, type RawEventLogWriter } from '../event-log.js';
import { type KafkaConnection, openKafka } from './kafka-client.js';
import { createProducing, type Producing } from './producing.js';
import { createSendQueue, messageBytes } from './send-queue.js';
import { splittingWhatIsTooLarge } from './too-large.js';

export interface KafkaEventLogWriterOptions {
  connection: KafkaConnection;
  topic: string;
  /** So many events are sent at once, without waiting for more. Default 100. */
  batchEvents?: number;
  /** Fewer events wait so long for others to come. Default 500. */
  batchMs?: number;
  /** From the moment an append is sent to Kafka's word. Default 5000. */
  deadlineMs?: number;
  /** What may wait for Kafka before `append` rejects with EventLogFull. Default 32 MiB. */
  maxWaitingBytes?: number;
  /**
   * Learns of a value, as it was appended, that Kafka refuses for its size though it was sent alone. It is then passed over, so
   * that it does not hold up the others. Without this its append rejects.
   */
  onTooLarge?: (value: Buffer) => void;
}

const DEFAULTS = { batchEvents: 100, batchMs: 500, deadlineMs: 5000, maxWaitingBytes: 32 << 20 };
/** What `close` still gives to appends that wait. */
const CLOSE_DEADLINE_MS = 2000;

/** Returns at once, and connects when something is appended. Kafka may come later, and go. */
export function createKafkaEventLogWriter(options: KafkaEventLogWriterOptions): EventLogWriter & RawEventLogWriter {
  const settings = { ...DEFAULTS, ...options };
  const kafka = openKafka(settings.connection, settings.deadlineMs);
  const producing = createProducing(kafka, settings.topic, settings.deadlineMs);
  const sending = createSending(settings, splittingWhatIsTooLarge(producing, settings.onTooLarge));
  return {
    append: (events) => sending.append(events.map(messageOf)),
    appendRaw: (values) => sending.append(values.map(rawMessage)),
    close: sending.close,
  };
}

function messageOf(event: UsageEvent): Message {
  return { key: event.organization_id, value: Buffer.from(JSON.stringify(event)) };
}

/** What is no event goes to any partition: the writer of the table judges it. */
function rawMessage(value: Buffer): Message {
  return { key: organizationIn(value), value };
}

function organizationIn(value: Buffer): string | null {
  try {
    const { organization_id: organization } = JSON.parse(value.toString('utf8')) as Partial<UsageEvent>;
    return typeof organization === 'string' ? organization : null;
  } catch {
    return null;
  }
}

function createSending(settings: typeof DEFAULTS & KafkaEventLogWriterOptions, producing: Producing) {
  const { batchEvents, batchMs, maxWaitingBytes } = settings;
  const queue = createSendQueue();
  let running: Promise<void> | undefined;
  let lingering: NodeJS.Timeout | undefined;
  let hasLingered = false;
  let closing: Promise<void> | undefined;

  const isDue = () => queue.messages() >= batchEvents || (queue.messages() > 0 && (hasLingered || closing !== undefined));
  const sendOn = async () => {
    while (isDue()) {
      stopLingering();
      try {
        await producing.send(queue.take());
        queue.taken();
      } catch (error) {
        queue.rejectAll(error);
      }
    }
    running = undefined;
    if (queue.messages() > 0) linger();
  };
  const wake = () => {
    if (isDue()) running ??= sendOn();
    else linger();
  };
  const linger = () => {
    if (running !== undefined || queue.messages() === 0) return;
    lingering ??= setTimeout(() => {
      hasLingered = true;
      wake();
    }, batchMs);
  };
  const stopLingering = () => {
    clearTimeout(lingering);
    lingering = undefined;
    hasLingered = false;
  };
  const close = async () => {
    const tooLate = setTimeout(() => queue.rejectAll(new Error('Kafka did not take it before the end')), CLOSE_DEADLINE_MS);
    wake();
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, CLOSE_DEADLINE_MS).unref())]);
    clearTimeout(tooLate);
    queue.rejectAll(new Error('the event log is closed'));
    stopLingering();
    await producing.close();
  };

  return {
    append: (messages: Message[]): Promise<void> => {
      if (closing !== undefined) return Promise.reject(new Error('the event log is closed'));
      const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
      if (messages.length === 0) return Promise.resolve();
      if (queue.messages() > 0 && queue.bytes() + bytes > maxWaitingBytes) {
        return Promise.reject(new EventLogFull(`${queue.bytes()} bytes wait for Kafka already`));
      }
      return new Promise((resolve, reject) => {
        queue.push({ messages, bytes, resolve, reject });
        wake();
      });
    },
    close: () => {
      // Set before the first step: it is what makes all that waits due.
      closing ??= Promise.resolve().then(close);
      return closing;
    },
  };
}
