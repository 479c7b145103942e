import { Client, type ClientWritableStream, credentials, type ServiceError } from '@grpc/grpc-js';

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';

/** Speaks to a collector as Envoy does: one open stream of messages, answered only at its end. */
export function openAccessLogStream(address: string): { write(message: Buffer): void; end(): Promise<void>; close(): void } {
  const client = new Client(address, credentials.createInsecure(), {});
  let call: ClientWritableStream<Buffer>;
  const answered = new Promise<void>((resolve, reject) => {
    call = client.makeClientStreamRequest<Buffer, Buffer>(
      PATH,
      (bytes) => bytes,
      (bytes) => bytes,
      (error: ServiceError | null) => (error === null ? resolve() : reject(error)),
    );
  });
  answered.catch(() => {});
  return {
    write: (message) => void call.write(message),
    end: () => {
      call.end();
      return answered;
    },
    close: () => client.close(),
  };
}
