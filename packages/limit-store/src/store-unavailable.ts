/** The store did not answer, or not in time. Nothing of its address or password is in the message or the cause. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';

  constructor(reason: string, cause?: unknown) {
    super(`limit store unavailable: ${reason}`, cause === undefined ? undefined : { cause: withoutSecrets(cause) });
  }
}

/** A client's errors carry the command that failed, and with AUTH that is the password: keep the text alone. */
function withoutSecrets(cause: unknown): Error {
  if (!(cause instanceof Error)) return new Error('unknown cause');
  const bare = new Error(cause.message);
  bare.name = cause.name;
  return bare;
}
