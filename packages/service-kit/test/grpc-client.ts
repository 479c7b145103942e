import {
  ChannelCredentials,
  Client,
  type ClientOptions,
  type ClientWritableStream,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';

const same = (bytes: Buffer): Buffer => bytes;

export interface TestClient {
  /** Rejects with grpc-js's error, which has `code` and `details`. */
  unary(path: string, message: Buffer | string, headers?: Record<string, string>): Promise<Buffer>;
  /** `answer` settles at the end of the stream. */
  stream(path: string): { call: ClientWritableStream<Buffer>; answer: Promise<Buffer> };
  /** The messages of a server's stream as they come, and its end: undefined or the code. */
  watch(path: string, message: Buffer): { messages: Buffer[]; ended: Promise<number | undefined>; cancel(): void };
  close(): void;
}

/** A client with a connection of its own. Every unary call has a deadline of ten seconds. */
export function testClient(
  address: string,
  credentials = ChannelCredentials.createInsecure(),
  options: ClientOptions = {},
): TestClient {
  const client = new Client(address, credentials, { 'grpc.use_local_subchannel_pool': 1, ...options });
  return {
    unary(path, message, headers = {}) {
      const metadata = Metadata.fromHttp2Headers(headers);
      return new Promise((resolve, reject) => {
        const deadline = Date.now() + 10_000;
        client.makeUnaryRequest(path, same, same, Buffer.from(message), metadata, { deadline }, (error, answer) =>
          error === null ? resolve(answer as Buffer) : reject(error),
        );
      });
    },
    stream(path) {
      let settle: (error: ServiceError | null, answer?: Buffer) => void = () => {};
      const answer = new Promise<Buffer>((resolve, reject) => {
        settle = (error, bytes) => (error === null ? resolve(bytes as Buffer) : reject(error));
      });
      const call = client.makeClientStreamRequest(path, same, same, (error, bytes) => settle(error, bytes));
      return { call, answer };
    },
    watch(path, message) {
      const messages: Buffer[] = [];
      const call = client.makeServerStreamRequest(path, same, same, message);
      call.on('data', (bytes: Buffer) => messages.push(bytes));
      const ended = new Promise<number | undefined>((resolve) => {
        call.on('end', () => resolve(undefined));
        call.on('error', (error: ServiceError) => resolve(error.code));
      });
      return { messages, ended, cancel: () => call.cancel() };
    },
    close: () => client.close(),
  };
}
