/** Messages that tell which one they are, and whether every byte is theirs. */

/** The message with this number of this session: 12 bytes to some 100 KiB. */
export function numbered(session: number, number: number): Buffer {
  const scale = [50, 5000, 100_000][number % 3] as number;
  const message = Buffer.alloc(12 + ((number * 7919 + session) % scale), (session * 31 + number) & 0xff);
  message.writeUInt32LE(session, 0);
  message.writeUInt32LE(number, 4);
  message.writeUInt32LE(message.length, 8);
  return message;
}

/** The session and number of such a message; throws for one that was put together. */
export function numberOf(message: Uint8Array): { session: number; number: number } {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (bytes.length < 12) throw new Error(`${bytes.length} bytes are no message`);
  const session = bytes.readUInt32LE(0);
  const number = bytes.readUInt32LE(4);
  if (!numbered(session, number).equals(bytes)) throw new Error(`message ${number} of session ${session} is torn`);
  return { session, number };
}
