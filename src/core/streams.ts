/**
 * A handle that reads or writes bytes, as a stream of Node's or of the web. The stream takes the
 * handle over: its end, its error and its `destroy()` close it.
 */
import { Duplex, Readable, Writable } from 'node:stream';
import { ReadableStream, WritableStream } from 'node:stream/web';

/** What can be read from as a stream. */
export interface ReadsChunks {
  read(): Promise<Uint8Array | null>;
  close(): void;
}

/** What can be written to as a stream. */
export interface WritesChunks {
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

function pull(stream: Readable, source: ReadsChunks): void {
  source.read().then(
    (chunk) => stream.push(chunk),
    (why) => stream.destroy(why),
  );
}

type Done = (error?: Error | null) => void;

function put(sink: WritesChunks, chunk: Uint8Array, done: Done): void {
  sink.write(chunk).then(() => done(), done);
}

/** A `Readable` over a handle. */
export function toReadable(source: ReadsChunks): Readable {
  return new Readable({
    read() {
      pull(this, source);
    },
    destroy(why, done) {
      source.close();
      done(why);
    },
  });
}

/** A `Writable` over a handle; `end()` closes the handle when everything is out. */
export function toWritable(sink: WritesChunks): Writable {
  return new Writable({
    write: (chunk: Uint8Array, _encoding, done) => put(sink, chunk, done),
    destroy(why, done) {
      sink.close();
      done(why);
    },
  });
}

/** A `Duplex` over a handle; `end()` closes the writing half (`shutdown`), both ends close the handle. */
export function toDuplex(both: ReadsChunks & WritesChunks & { shutdown(): void }): Duplex {
  return new Duplex({
    read() {
      pull(this, both);
    },
    write: (chunk: Uint8Array, _encoding, done) => put(both, chunk, done),
    final(done) {
      try {
        both.shutdown();
        done();
      } catch (why) {
        done(why as Error);
      }
    },
    destroy(why, done) {
      both.close();
      done(why);
    },
  });
}

/** A `ReadableStream` of bytes over a handle; `cancel()` closes it. */
export function toWebReadable(source: ReadsChunks): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = await source.read();
      if (chunk !== null) {
        controller.enqueue(chunk);
        return;
      }
      source.close();
      controller.close();
    },
    cancel() {
      source.close();
    },
  });
}

/** A `WritableStream` of bytes over a handle; `close()` and `abort()` close it. */
export function toWebWritable(sink: WritesChunks): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (chunk) => sink.write(chunk),
    close() {
      sink.close();
    },
    abort() {
      sink.close();
    },
  });
}
