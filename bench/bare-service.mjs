/**
 * The control of latency: a gRPC service on node:http2 that answers every call at once with an empty message, and does nothing
 * else. What it is late, the machine and the load generator are. `node bare-service.mjs <unix socket>`
 */
import { createServer } from 'node:http2';

const EMPTY_MESSAGE = Buffer.alloc(5);

const server = createServer();
server.on('stream', (stream) => {
  stream.on('error', () => {}); // the caller is gone
  stream.resume();
  stream.once('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(EMPTY_MESSAGE);
  });
});
server.listen(process.argv[2], () => console.info('listening'));
