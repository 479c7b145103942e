import { createKafkaEventLogReader } from '../../src/kafka/kafka-event-log-reader.js';
import { createKafkaEventLogWriter } from '../../src/kafka/kafka-event-log-writer.js';
import { eventLogBehaves } from '../event-log-behaves.js';
import { aTopic } from './a-topic.js';

eventLogBehaves('Kafka', async () => {
  const { connection, topic, makeAnew, close } = await aTopic();
  const openWriter = () => createKafkaEventLogWriter({ connection, topic, batchMs: 20, deadlineMs: 15_000 });
  return {
    openWriter: async () => openWriter(),
    createReader: () => createKafkaEventLogReader({ connection, topic, group: topic, maxBatch: 10 }),
    appendRaw: async (bytes) => {
      const writer = openWriter();
      await writer.appendRaw([bytes]);
      await writer.close();
    },
    makeAnew,
    close,
  };
});
