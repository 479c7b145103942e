import type { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { type PresentedKey, presentedKey } from '../presented-key.js';

/** The key in a CheckRequest. Envoy sends header names in lower case. */
export function keyFrom(request: CheckRequest, acceptsForeignKeys: boolean): PresentedKey {
  const headers = request.attributes?.request?.http?.headers;
  return presentedKey(headers?.['x-api-key'], headers?.['authorization'], acceptsForeignKeys);
}

/** What the route's configuration says of the scopes that it demands; '' where it says nothing. */
export function demandFrom(request: CheckRequest): string {
  return request.attributes?.contextExtensions['scope'] ?? '';
}
