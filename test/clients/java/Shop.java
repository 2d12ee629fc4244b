// A small program under the Pyroscope agent for Java: works, allocates, contends, until its standard input ends.
import io.pyroscope.javaagent.api.ProfilerApi;
import io.pyroscope.javaagent.api.ProfilerApiHolder;
import io.pyroscope.labels.v2.LabelsSet;
import io.pyroscope.labels.v2.Pyroscope.LabelsWrapper;

final class Shop {
  private static final long MILLISECOND = 1_000_000;
  /** Everybody stands at it. */
  private static final Object COUNTER = new Object();
  /** So that no allocation is optimised away. */
  private static volatile byte[] kept;

  public static void main(String[] args) throws Exception {
    start("car", () -> serve("car", 0x00f067aa0ba902b7L, "GET /cars", "4bf92f3577b34da6a3ce929d0e0e4736"));
    start("bike", () -> serve("bike", 0xd1a4c4b0e2f39a5bL, "POST /bikes {\u00e9, 1}", null));
    start("audit", Shop::audit);
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  private static void start(String name, Runnable turn) {
    Thread thread = new Thread(() -> { while (true) turn.run(); }, name);
    thread.setDaemon(true);
    thread.start();
  }

  /** One request, in a span: what an OpenTelemetry integration tells the agent is told by hand. */
  private static void serve(String vehicle, long span, String spanName, String trace) {
    ProfilerApi profiler = ProfilerApiHolder.INSTANCE.get();
    LabelsWrapper.run(new LabelsSet("vehicle", vehicle), () -> {
      profiler.setTracingContext(span, profiler.registerConstant(spanName));
      if (trace != null) profiler.setTraceId(trace);
      find();
      pack();
      checkout();
      profiler.setTracingContext(0, 0);
      profiler.clearTraceId();
    });
  }

  private static void find() {
    spin(5 * MILLISECOND);
  }

  private static void pack() {
    for (int at = 0; at < 8; at++) kept = new byte[32 << 10];
  }

  private static void checkout() {
    synchronized (COUNTER) {
      spin(4 * MILLISECOND);
    }
  }

  /** Work that belongs to no request. */
  private static void audit() {
    spin(5 * MILLISECOND);
    kept = new byte[64 << 10];
    synchronized (COUNTER) {
      spin(MILLISECOND);
    }
  }

  private static void spin(long nanos) {
    for (long start = System.nanoTime(); System.nanoTime() - start < nanos; ) Thread.onSpinWait();
  }
}
