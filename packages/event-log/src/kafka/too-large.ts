import type { Message } from 'kafkajs';
import type { Producing } from './producing.js';

/** What a topic whose `max.message.bytes` is smaller than a batch refuses is sent in halves; a message is told if it is refused alone. */
export function splittingWhatIsTooLarge(producing: Producing, onTooLarge?: (value: Buffer) => void): Producing {
  const send = async (messages: Message[]): Promise<void> => {
    try {
      await producing.send(messages);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      if (messages.length > 1) {
        const middle = Math.ceil(messages.length / 2);
        await send(messages.slice(0, middle));
        await send(messages.slice(middle));
      } else if (onTooLarge === undefined) throw error;
      else for (const { value } of messages) onTooLarge(Buffer.isBuffer(value) ? value : Buffer.from(value ?? ''));
    }
  };
  return { send, close: producing.close };
}

/** The answer of the broker, which kafkajs may have wrapped. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { type } = error as { type?: unknown };
  return type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE' || isTooLarge(error.cause);
}
