export { freePort } from '@tollgate/embedded/free-port';
