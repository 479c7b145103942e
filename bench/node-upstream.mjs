/** The API behind both sides: a small server on node:http, as many are. `node bench/node-upstream.mjs PORT` */
import { createServer } from 'node:http';

const BODY = '{"message":"Hello."}\n';

const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(BODY) });
  response.end(BODY);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
