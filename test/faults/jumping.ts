// A launcher whose wall clock jumps when its parent says so: what `settimeofday`, a wrong NTP server or a resumed machine do.
const real = Date.now;
let aheadMs = 0;
Date.now = () => real() + aheadMs;
process.on('message', ({ jumpMs }: { jumpMs: number }) => {
  aheadMs += jumpMs;
  process.send?.({ nowMs: Date.now() });
});
// The gateway ends when it has nothing to do; waiting for jumps is nothing.
process.channel?.unref();
await import(new URL('../../bin/flamegate.js', import.meta.url).href);

export {};
