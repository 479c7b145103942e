/** Kafka cannot be used as it is set up; the message tells what to look at. */
export class KafkaMisconfigured extends Error {
  override readonly name = 'KafkaMisconfigured';
}

/** By the name of the error, its code and its message, parted by blanks; what to look at. */
const CAUSES: readonly (readonly [sign: RegExp, what: string, check: string])[] = [
  [/^KafkaJSSASL/, 'Kafka refused the login', 'KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM'],
  [/^\S+ (UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT)/, 'the certificate of Kafka is not trusted', 'KAFKA_TLS_CA_FILE'],
  [/^\S+ ERR_SSL\w*CERTIFICATE/, 'Kafka refused our certificate', 'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE'],
  [
    /before secure TLS connection|WRONG_VERSION_NUMBER/,
    'Kafka does not speak TLS there',
    'KAFKA_TLS and the port in KAFKA_BROKERS',
  ],
  [
    /^KafkaJSConnectionClosedError/,
    'Kafka closed the connection',
    'if it runs, whether it asks for TLS (KAFKA_TLS) or a login (KAFKA_SASL_USERNAME)',
  ],
];

/** In words for whoever runs this, where it is known what to do; any other failure as it is. */
export function explained(failure: unknown): unknown {
  const root = rootOf(failure);
  if (root === undefined) return failure;
  const { code } = root as { code?: unknown };
  const told = `${root.name} ${typeof code === 'string' ? code : '-'} ${root.message}`;
  const found = CAUSES.find(([sign]) => sign.test(told));
  if (found === undefined) return failure;
  const [, what, check] = found;
  return new KafkaMisconfigured(`${what} (${root.message.trim()}): check ${check}`, { cause: failure });
}

/** kafkajs wraps what happened into how often it tried. */
function rootOf(failure: unknown): Error | undefined {
  if (!(failure instanceof Error)) return undefined;
  return rootOf(failure.cause) ?? failure;
}
