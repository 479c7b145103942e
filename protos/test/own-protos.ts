import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** The messages of our .proto files, with the names that they have there. */
export function ownDescriptors(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => `${folder}${target}`;
  const services = ['auth/v3/external_auth', 'ratelimit/v3/rls', 'accesslog/v3/als'];
  root.loadSync(
    services.map((name) => `envoy/service/${name}.proto`),
    { keepCase: true },
  );
  root.resolveAll();
  return root;
}
