import kafkajs, { type ICustomPartitioner } from 'kafkajs';

/** So many organizations are remembered; beyond that all of them are looked up anew. */
const MAX_KNOWN = 10_000;

/** Puts a key where Java's clients put it. Remembers where: kafkajs takes longer to hash a key than to encode its message. */
export const rememberingPartitioner: ICustomPartitioner = () => {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  const known = new Map<string, number>();
  let partitions = 0;
  return (asked) => {
    const { key } = asked.message;
    if (typeof key !== 'string') return choose(asked);
    if (known.size >= MAX_KNOWN || asked.partitionMetadata.length !== partitions) known.clear();
    partitions = asked.partitionMetadata.length;
    const partition = known.get(key) ?? choose(asked);
    known.set(key, partition);
    return partition;
  };
};
