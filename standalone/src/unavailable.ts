/** A server that the settings name does not answer; EX_UNAVAILABLE of sysexits.h. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly exitCode = 69;
}
