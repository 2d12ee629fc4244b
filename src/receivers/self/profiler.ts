import { type Profiler, Session } from 'node:inspector';
import type { HeapProfile } from './encode.ts';

/** Mean allocated bytes between two heap samples: V8's default, and Go's. */
export const HEAP_SAMPLE_BYTES = 512 * 1024;

/** The two profilers of V8, for this very process. */
export class V8Profilers {
  readonly #session = new Session();

  /** @param samplingUs microseconds between two CPU samples */
  async start(cpu: boolean, heap: boolean, samplingUs: number): Promise<void> {
    this.#session.connect();
    try {
      if (cpu) {
        await this.#post('Profiler.enable');
        await this.#post('Profiler.setSamplingInterval', { interval: samplingUs });
        await this.#post('Profiler.start');
      }
      if (heap) await this.#post('HeapProfiler.startSampling', { samplingInterval: HEAP_SAMPLE_BYTES });
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** What was sampled since the last call; starts again at once, so that hardly a sample is lost in between. */
  async cpu(): Promise<Profiler.Profile> {
    const { profile } = await this.#post<Profiler.StopReturnType>('Profiler.stop');
    await this.#post('Profiler.start');
    return profile;
  }

  /** What lives now of what was sampled since the start. */
  async heap(): Promise<HeapProfile> {
    return (await this.#post<{ profile: HeapProfile }>('HeapProfiler.getSamplingProfile')).profile;
  }

  /** Ends both. Safe when nothing was started. */
  stop(): void {
    this.#session.disconnect();
  }

  #post<T>(method: string, params: object = {}): Promise<T> {
    return new Promise((resolve, reject) =>
      this.#session.post(method, params, (error: Error | null, result?: object) =>
        error ? reject(error) : resolve(result as T),
      ),
    );
  }
}
