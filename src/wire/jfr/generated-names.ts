// Classes and libraries that the JVM or a framework makes at run time have another name in each process, so that their frames would
// never meet. Their names become one, as Pyroscope does it (grafana/jfr-parser: parser/symbols.go).

const ACCESSOR = /^jdk\/internal\/reflect\/GeneratedMethodAccessor\d+$/;
/** Behind the last `$$Lambda`: `$669.0x0000000800fd7318`, `$4/1283928880`, `.0x00007ffa600c4da0`, `17`, `$88+0x00007f5d38007a08/1790421142`. */
const LAMBDA_REST = /^(?:\$?\d*[./+](?:0x)?[\da-f]+(?:\/\d+)?|\d+)$/;
const TEMPORARY = /^\.?\/tmp\//;
const DELETED = ' (deleted)';
const ZSTD = /^libzstd-jni-\d+\.\d+\.\d+-\d+\.so$/;
const CORRETTO =
  /^(?:lib)?amazonCorrettoCryptoProvider(?:NativeLibraries\.)?[\da-f]{16}(?:\/libcrypto|\/libamazonCorrettoCryptoProvider)?\.so$/;
/** One build of it, which told platforms apart. */
const ASYNC_PROFILER =
  /^libasyncProfiler-(?:linux-arm64|linux-musl-x64|linux-x64|macos)-17b9a1d8156277a98ccc871afa9a8f69215f92\.so$/;
const LAMBDA = '$$Lambda';
const CGLIB = '$$EnhancerBySpringCGLIB$$';

/** The name that stands for a class, or for the library of a native frame. Linear in its length. */
export function mergedName(name: string): string {
  if (name.includes('.so')) return mergedLibrary(name);
  if (name.startsWith('jdk/') && ACCESSOR.test(name)) return 'jdk/internal/reflect/GeneratedMethodAccessor_';
  const lambda = name.lastIndexOf(LAMBDA);
  if (lambda > 0) {
    const end = lambda + LAMBDA.length;
    if (LAMBDA_REST.test(name.slice(end))) return `${name.slice(0, end)}_`;
  }
  const cglib = name.lastIndexOf(CGLIB);
  return cglib > 0 ? `${name.slice(0, cglib + CGLIB.length)}_` : name;
}

function mergedLibrary(name: string): string {
  const bare = (name.endsWith(DELETED) ? name.slice(0, -DELETED.length) : name).replace(TEMPORARY, '');
  if (ZSTD.test(bare)) return 'libzstd-jni-_.so';
  if (CORRETTO.test(bare)) return 'libamazonCorrettoCryptoProvider_.so';
  return ASYNC_PROFILER.test(bare) ? 'libasyncProfiler-_.so' : name;
}
